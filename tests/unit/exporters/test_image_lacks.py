"""The report of an export names commands and paths that the image lacks, and none that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.exporters.kubernetes import Cluster, export
from tests.unit.exporters.clock_for_export import NOW


def lacking(folder: Path, arguments: str) -> str:
    """What the report says of a job's image; "" if nothing."""
    path = folder / "shop.py"
    path.write_text(
        '"""A clock."""\n\nfrom scheduled_tasks import Clock, app\nfrom scheduled_tasks.bundled import command\n'
        "from scheduled_tasks.domains import algolia\n\n"
        f'scheduler = Clock(timezone="UTC")\nscheduler.add_job({arguments}, id="job", hour=5)\n'
    )
    clock = read_clock(path, "shop", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))
    [entry] = export([clock], Cluster("shop:1"), base=folder, now=NOW).report.entries
    return "".join(found.text.removeprefix("the image lacks ") for found in entry.differences if found.kind == "image")


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["/usr/bin/true"], ""),
        (["python3", "-c", "print(1)"], ""),
        (["mysqldump", "--all"], "mysqldump"),
        (["/usr/bin/mysqldump", "--all"], "/usr/bin/mysqldump"),
        (["/opt/shop/bin/report"], "/opt/shop/bin/report"),
        (["tar", "-czf", "/backup/home.tgz", "/home/shop"], "/backup/home.tgz, /home/shop"),
        (["sort", "--output=/srv/sorted", "/tmp/in"], "/srv/sorted"),
        (["/bin/sh", "-c", "cd /tmp && date > log; rm -f old"], ""),
        (["/bin/sh", "-c", "cd /srv/shop && ./run.sh | gzip -c >out.gz"], "./run.sh, /srv/shop"),
        (["/bin/bash", "-c", "for f in a b; do rsync $f host:/x; done"], "rsync"),
        (["/bin/sh", "-c", "LANG=C nice -n 5 pg_dump shop"], "pg_dump"),
        (["/bin/sh", "-c", "timeout 60 curl -s https://example.org/a/b"], "curl"),
        (["/bin/sh", "-c", "test -x /usr/sbin/anacron || run-parts /etc/x"], "/usr/sbin/anacron, /etc/x"),
        (["/bin/sh", "-c", "(mail -s x root; logger done) && { wget -q x; }"], "mail, wget"),
        (["/bin/sh", "-c", "if [ -d /var/log/shop ]; then find /var/log/shop -delete; fi"], "/var/log/shop"),
        (["/bin/sh", "-c", "echo 'it is not sudo rm /'"], ""),
        (["/bin/sh", "-c", "sudo -u shop psql -c 'select 1/2'"], "sudo, psql"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_names_what_the_image_lacks(tmp_path: Path, argv: list[str], named: str) -> None:
    assert lacking(tmp_path, f'command.run, "cron", [{argv!r}]') == named


def test_directories_variables_and_options_count(tmp_path: Path) -> None:
    arguments = (
        'command.run, "cron", [["true"]], {"directory": "/srv/shop", "environment": {"DATA": "/srv/data"}},'
        ' working_directory="/srv/work", read_write_paths=["/srv/exports"]'
    )
    assert lacking(tmp_path, arguments) == "/srv/shop, /srv/data, /srv/work, /srv/exports"


def test_a_task_names_paths_in_its_arguments(tmp_path: Path) -> None:
    assert lacking(tmp_path, 'algolia.index_offers, "cron", [app]') == ""
    assert lacking(tmp_path, 'algolia.index_offers, "cron", [app], environment={"CA": "/etc/ssl/own.pem"}') == (
        "/etc/ssl/own.pem"
    )
