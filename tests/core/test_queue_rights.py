"""From what there is at the broker to what is wanted: each act once, in order, and nothing of others touched."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.agency_queue import EXCHANGE, LIMITS, AgencyQueue
from gateway.core.queue_rights import (
    Account,
    Act,
    Bind,
    Limit,
    MadeOtherwise,
    MakeExchange,
    MakeQueue,
    MakeUser,
    Note,
    Permit,
    Queue,
    RemoveExchange,
    RemoveQueue,
    RemoveUser,
    Rights,
    SetPassword,
    SharedUser,
    Standing,
    StillHolds,
    User,
    Withdraw,
    acts_towards,
    is_password,
    password_hash,
)

DMS = AgencyQueue("H33.05/dms")
HIS = AgencyQueue("H33.16/his", settles=True)
PASSWORD = "mot-mat-khau-dai-de-thu"
RIGHTS = Rights("", "", DMS.read)


def made(*queues: AgencyQueue, password: str = PASSWORD, messages: int | None = 0) -> Standing:
    """The broker as apply leaves it for these systems."""
    return Standing(
        users={each.name: User(password_hash(password, b"salt")) for each in queues},
        rights={each.name: Rights(each.configure, each.write, each.read) for each in queues},
        limits={each.name: dict(LIMITS) for each in queues},
        queues={
            **{each.name: Queue(each.arguments, messages) for each in queues},
            **{each.rejected: Queue(each.rejected_arguments, 0) for each in queues},
        },
        exchanges={EXCHANGE: "direct", **{each.settle: "fanout" for each in queues if each.settles}},
        bound=frozenset(each.name for each in queues),
    )


def towards(standing: Standing, *queues: AgencyQueue) -> tuple[tuple[Act, ...], tuple[Note, ...]]:
    return acts_towards([Account(queue, PASSWORD) for queue in queues], standing)


def test_on_an_empty_broker_everything_is_made_and_rights_come_last() -> None:
    acts, notes = towards(Standing(), DMS)
    assert notes == ()
    assert acts == (
        MakeExchange(EXCHANGE, "direct"),
        MakeQueue(DMS.rejected, DMS.rejected_arguments),
        MakeQueue(DMS.name, DMS.arguments),
        Bind(DMS.name),
        MakeUser(DMS.name, PASSWORD),
        *(Limit(DMS.name, limit, value) for limit, value in LIMITS.items()),
        Permit(DMS.name, RIGHTS),
    )


def test_a_system_that_settles_gets_an_exchange_and_the_right_to_write_to_it_alone() -> None:
    acts, _ = towards(Standing(), HIS)
    assert MakeExchange(HIS.settle, "fanout") in acts
    assert Permit(HIS.name, Rights("", HIS.write, HIS.read)) in acts


def test_where_everything_is_as_wanted_nothing_is_done() -> None:
    assert towards(made(DMS, HIS), DMS, HIS) == ((), ())


def test_on_a_broker_without_agencies_nothing_is_done() -> None:
    assert towards(Standing(users={"guest": User("x", ("administrator",))})) == ((), ())


def test_a_new_password_in_the_file_is_set_and_nothing_else() -> None:
    assert towards(made(DMS, password="mot-mat-khau-khac-han"), DMS) == ((SetPassword(DMS.name, PASSWORD),), ())


def test_rights_that_somebody_widened_are_set_back() -> None:
    standing = replace(made(DMS), rights={DMS.name: Rights(".*", ".*", ".*")})
    assert towards(standing, DMS) == ((Permit(DMS.name, RIGHTS),), ())


def test_a_user_that_somebody_made_an_administrator_loses_it() -> None:
    hashed = password_hash(PASSWORD, b"salt")
    standing = replace(made(DMS), users={DMS.name: User(hashed, ("administrator",))})
    assert towards(standing, DMS) == ((SetPassword(DMS.name, PASSWORD),), ())


def test_limits_that_were_taken_away_come_back() -> None:
    standing = replace(made(DMS), limits={})
    assert towards(standing, DMS)[0] == tuple(Limit(DMS.name, limit, value) for limit, value in LIMITS.items())


def test_a_user_made_anew_gets_rights_even_where_an_old_users_are_still_listed() -> None:
    standing = replace(made(DMS), users={})
    acts, _ = towards(standing, DMS)
    assert [type(act) for act in acts] == [MakeUser, *(Limit for _ in LIMITS), Permit]


def test_a_queue_that_somebody_deleted_is_made_and_bound_again() -> None:
    standing = made(DMS)
    queues = {name: queue for name, queue in standing.queues.items() if name != DMS.name}
    acts, _ = towards(replace(standing, queues=queues), DMS)
    assert acts == (MakeQueue(DMS.name, DMS.arguments), Bind(DMS.name))


def test_a_queue_of_another_shape_is_told_and_left() -> None:
    standing = made(DMS)
    queues = {**standing.queues, DMS.name: Queue({"x-queue-type": "classic"}, 0)}
    assert towards(replace(standing, queues=queues), DMS) == ((), (MadeOtherwise(DMS.name),))


def test_an_exchange_of_another_kind_is_told_and_left() -> None:
    assert towards(replace(made(DMS), exchanges={EXCHANGE: "topic"}), DMS) == ((), (MadeOtherwise(EXCHANGE),))


# ----------------------------------------------------------------------------------------- who goes, who stays


def test_a_system_that_is_gone_loses_its_user_at_once_and_its_empty_queues() -> None:
    acts, notes = towards(made(DMS, HIS), DMS)
    assert notes == ()
    assert acts == (
        RemoveUser(HIS.name), RemoveQueue(HIS.name), RemoveQueue(HIS.rejected), RemoveExchange(HIS.settle),
    )  # fmt: skip


def test_the_last_one_may_go_too() -> None:
    acts, _ = towards(made(DMS))
    assert acts == (RemoveUser(DMS.name), RemoveQueue(DMS.name), RemoveQueue(DMS.rejected))


def test_a_queue_that_still_holds_messages_outlives_its_system() -> None:
    for messages in (3, None):
        acts, notes = towards(made(DMS, messages=messages))
        assert RemoveUser(DMS.name) in acts
        assert RemoveQueue(DMS.name) not in acts
        assert notes == (StillHolds(DMS.name, messages),)


def test_users_and_queues_of_others_are_never_touched() -> None:
    others = Standing(
        users={"guest": User("x", ("administrator",)), "lgsp": User("y"), "lgsp.agencyx": User("z")},
        rights={name: Rights(".*", ".*", ".*") for name in ("guest", "lgsp", "lgsp.agencyx")},
        queues={name: Queue({}, 0) for name in ("lgsp.deliver.H33.05/dms", "lgsp.parking", "lgsp.agency.", "orders")},
        exchanges={"lgsp.deliveries": "direct", "amq.topic": "topic", "lgsp.settle.": "fanout"},
    )
    assert towards(others) == ((), ())


def test_a_user_who_works_elsewhere_too_loses_only_what_it_had_here() -> None:
    acts, _ = towards(replace(made(DMS), elsewhere=frozenset({DMS.name})))
    assert acts[0] == Withdraw(DMS.name)
    assert RemoveUser(DMS.name) not in acts


def test_who_knows_a_users_password_in_another_virtual_host_gets_no_rights_here() -> None:
    standing = made(DMS, password="cua-mot-truc-thu-nghiem")
    standing = replace(standing, rights={}, elsewhere=frozenset({DMS.name}))
    assert towards(standing, DMS) == ((), (SharedUser(DMS.name),))


# --------------------------------------------------------------------------------------------------- passwords


def test_a_hash_is_rabbitmqs() -> None:
    # the worked example of RabbitMQ's own guide to passwords
    assert password_hash("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_a_password_is_known_by_its_hash_alone() -> None:
    assert is_password(password_hash("mật khẩu", b"\0\1\2\3"), "mật khẩu")
    assert not is_password(password_hash("mật khẩu", b"\0\1\2\3"), "mật khẩu khác")


def test_a_hash_of_another_making_is_nobodys() -> None:
    for stored in ("", "x", "không", "AAAA", "AAAAAA=="):
        assert not is_password(stored, "")


def test_no_password_shows_in_an_act() -> None:
    acts, _ = towards(Standing(), DMS)
    assert PASSWORD not in repr(acts)
    assert PASSWORD not in repr(Account(DMS, PASSWORD))
