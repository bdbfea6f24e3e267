"""What is read from a unit set: pure, from texts."""

import hashlib

from scheduled_tasks.render.unit_set import UnitSet

SERVICE = "clock-a-x.service"


def test_a_services_drop_ins_are_in_the_order_in_which_systemd_reads_them() -> None:
    paths = (
        "clock-.service.d/10", "clock-a-.service.d/20", f"{SERVICE}.d/30", f"{SERVICE}.d/05", "clock-b-.service.d/20",
        "clock-a-xy.service.d/30",
    )  # fmt: skip
    assert UnitSet(dict.fromkeys(paths, "")).drop_ins(SERVICE) == [
        f"{SERVICE}.d/05", "clock-.service.d/10", "clock-a-.service.d/20", f"{SERVICE}.d/30",
    ]  # fmt: skip


def test_a_drop_in_overrides_the_unit_and_resets_a_list() -> None:
    units = UnitSet(
        {
            SERVICE: "[Service]\nNice=1\nIPAddressAllow=localhost\n",
            f"{SERVICE}.d/30-job.conf": "[Service]\nNice=2\nIPAddressAllow=\nIPAddressAllow=192.0.2.7\n",
        }
    )
    assert units.effective(SERVICE) == {"Nice": ("1", "2"), "IPAddressAllow": ("", "192.0.2.7")}


def test_a_sets_name_is_the_hash_of_checksums_that_sha256sum_reads() -> None:
    units = UnitSet({"b": "2", "a": "1"})
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"1", b"2"))
    assert units.checksums == f"{one}  a\n{two}  b\n"
    assert units.name == hashlib.sha256(units.checksums.encode()).hexdigest()
    assert units.name == UnitSet({"a": "1", "b": "2"}).name


def test_targets_and_the_watch_are_wanted_and_the_manifest_has_no_link() -> None:
    units = UnitSet(dict.fromkeys(("clock-a.target", "clock-a-x.timer", "clock-watch.timer", "jobs.json"), ""))
    assert units.links == {
        "clock-a.target": "clock-a.target",
        "clock-a-x.timer": "clock-a-x.timer",
        "clock-watch.timer": "clock-watch.timer",
        "timers.target.wants/clock-a.target": "clock-a.target",
        "timers.target.wants/clock-watch.timer": "clock-watch.timer",
    }


def test_a_set_is_equal_to_the_same_files_and_never_changes() -> None:
    files = {"a": "1"}
    units = UnitSet(files)
    assert units | {"b": "2"} == {"a": "1", "b": "2"}
    files["a"] = "2"
    assert units == {"a": "1"}


def test_a_set_without_a_manifest_has_no_jobs() -> None:
    assert UnitSet().jobs == []
    assert UnitSet({"jobs.json": '{"jobs": [{"job": "x"}]}'}).jobs == [{"job": "x"}]
