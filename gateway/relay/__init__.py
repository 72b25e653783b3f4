"""The steps that move messages: accept, dispatch, pull, collect, report, operate, sweep."""
