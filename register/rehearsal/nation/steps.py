"""The steps of a nation's rehearsal, each as its command or worker does it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from register.acts.inspection import inspect_all
from register.api.system import System
from register.app.parts import make_inspector
from register.audit.processes import cores
from register.audit.replay import replay as replay_store
from register.audit.verify import Parts
from register.audit.verify import verify as verify_all
from register.excerpts.manifest import whole_file
from register.intake.files import take
from register.intake.folder import authority_of, files_in
from register.law.competence import caller_for
from register.log.keys import open_key
from register.projection import projector
from register.projection.rebuild import bring_to_form
from register.rehearsal.generate import Feed, Folder

from . import voting
from .outcome import Done, Site, StepError, sealer_of
from .rebuilding import rebuild_under_load

#: What was sent in so many last days of the feed comes after the first load, into a register that stands; what was sent
#: in the very last ones, while that is built anew.
_LAST_DAYS: Final = 28
_MEANWHILE_DAYS: Final = 2
#: From so many events on, starting more processes pays.
_WORTH_SPREADING: Final = 100_000


def generate(site: Site) -> Done:
    """Authorities write their notices: a first load, and what they sent in the last four weeks."""
    plan, folders = site.plan, (site.feed("first"), site.feed("last"), site.feed("meanwhile"))
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
    feed = Feed(plan.voters, seed=plan.seed, until=plan.until, processes=cores())
    day = plan.until.toordinal()
    with ExitStack() as stack:
        first, last, meanwhile = (stack.enter_context(Folder(folder, packed=True)) for folder in folders)
        for line in feed:
            ago = day - line.day
            (first if ago > _LAST_DAYS else last if ago > _MEANWHILE_DAYS else meanwhile).add(line)
    places = {"municipalities": len(feed.places), "stations": sum(place.stations for place in feed.places)}
    later = {"last": last.lines.total(), "meanwhile": meanwhile.lines.total()}
    authorities = len(first.lines | last.lines | meanwhile.lines)
    return Done("notices", feed.summary.lines, {**places, "authorities": authorities, **later})


def intake(site: Site) -> Done:
    """The first load comes in (``cvr intake --each``)."""
    return _taken_in(site, "first")


def intake_last(site: Site) -> Done:
    """What was sent since comes in."""
    return _taken_in(site, "last")


def _taken_in(site: Site, name: str) -> Done:
    with site.system() as system:
        counts = _take_in(system, site, name)
    return Done("notices", sum(counts.values()), counts)


def _take_in(system: System, site: Site, name: str) -> dict[str, int]:
    counts = {"recorded": 0, "repeated": 0, "refused": 0}
    for file in files_in(site.feed(name)):
        caller = caller_for(authority_of(file), "cvr rehearse")
        taken = take(system.intake, file, caller, lambda _read, _notices: None, kept=True)
        for status, count in taken.counts.items():
            counts[status] += count
    if counts["refused"]:
        raise StepError(f"{counts['refused']} notices were refused")
    return counts


def register(site: Site) -> Done:
    """The register's tables are made from whole streams, as by a projector that finds none (``bring_to_form``)."""
    with site.system() as system:
        bring_to_form(system.database, system.store, processes=cores())
        followed = _follow(system)
        return Done("events", system.store.head(), {"followed": followed})


def follow(site: Site) -> Done:
    """The register follows what came since, event by event."""
    with site.system() as system:
        return Done("events", _follow(system))


def _follow(system: System) -> int:
    followed = 0
    with system.database.psycopg() as connection:
        while taken := projector.follow(connection, system.store):
            followed += taken
    return followed


def seal(site: Site) -> Done:
    """The log is sealed."""
    with site.system() as system:
        return Done("events", sealer_of(system).seal().size)


def replay(site: Site) -> Done:
    """Everything is folded again from the event store alone (``cvr replay --out``)."""
    with site.system() as system, whole_file(site.settings.data / "replay.csv") as file:
        done = replay_store(system.database.dsn, on=site.plan.until, out=file, processes=_processes(system))
        return Done("events", done.events, {"persons": done.persons, "entered": done.entered})


def rebuild(site: Site) -> Done:
    """The tables are built anew (``cvr rebuild``) while readers ask and the last two days' notices come in."""
    return rebuild_under_load(site, lambda system: sum(_take_in(system, site, "meanwhile").values()))


def inspect(site: Site) -> Done:
    """The inspector establishes what is wrong."""
    with site.system() as system, system.database.psycopg() as connection:
        before = system.store.head()
        inspector = make_inspector(system.database, system.store, system.clock, system.entropy)
        inspect_all(inspector, connection, lambda: _follow(system))
        return Done("events", before, {"established": system.store.head() - before})


def verify(site: Site) -> Done:
    """Event store, log, register, audit log, roll and lists against each other (``cvr verify``)."""
    with site.system() as system:
        _follow(system)
        sealer_of(system).seal()
        settings = site.settings
        parts = Parts(
            dsn=system.database.dsn,
            store=system.store,
            log=settings.data / "log",
            key=open_key(settings.log_key, settings.origin, system.entropy).key,
            municipalities=frozenset(system.municipalities),
            excerpts=settings.data / "excerpts",
            documents=system.documents,
        )
        report = verify_all(parts, today=site.plan.until, processes=_processes(system))
        wrong = [check.what for check in report.checks if check.verdict == "found"]
        if wrong:
            raise StepError(f"verification found something: {'; '.join(wrong)}")
        return Done("events", report.head, {"checks": len(report.checks)})


def _processes(system: System) -> int:
    return cores() if system.store.head() >= _WORTH_SPREADING else 1


Step = Callable[[Site], Done]
#: Every step by its name, in their order.
STEPS: Final[dict[str, Step]] = {
    "generate": generate,
    "intake": intake,
    "register": register,
    "seal": seal,
    "replay": replay,
    "intake-last": intake_last,
    "follow": follow,
    "rebuild": rebuild,
    "inspect": inspect,
    "election": voting.election,
    "roll": voting.roll,
    "accounts": voting.accounts,
    "lists-csv": voting.lists_csv,
    "lists-pdf": voting.lists_pdf,
    "verify": verify,
}
#: Those of a usual run.
USUAL: Final = tuple(name for name in STEPS if name != "inspect")
