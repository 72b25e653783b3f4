"""edXML, the message of the national document axis (QCVN 102:2016/BTTTT): bytes in, values out, and back."""
