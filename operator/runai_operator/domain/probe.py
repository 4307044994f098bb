"""Does this Run:ai create nothing on a dry run? Releases before 2.25 ignore the flag, and create.

Before the first dry run of a connection, a suspended Job is sent as one, under a name and with a mark that no object has, and
then it is looked for. Nothing that a user wrote is sent before the proof.

- Everything may be lost at any moment: name and mark follow from install and project, so whatever was made is found again,
  by the name before anything is sent, and in the lists without anybody's asking.
- Only an accepted dry run proves something, and only when what it may have made has been looked for by its id, if the answer
  had one, and by its name for longer than lists lag (`grace`), in a project that is visible.
- What is found after something was sent proves the opposite, whoever of our install sent it.
- Whoever has sent it deletes it at once; any other process of our install only after it has been listed for `grace`, so that the one
  that sent it has seen it.
- Only what carries our mark is deleted; where no mark can be read, also what Run:ai itself gave as the id of what we sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runai_operator.domain.errors import BridgeError, Held, InvalidWorkload, NameTaken
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import Candidate, Json, OwnerMark, Remote, Submission
from runai_operator.domain.naming import probe_name
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import BACKOFF_CEILING, next_sync_read

MANIFEST: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "suspend": True,
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.10"}],
            }
        },
    },
}
"""Where it is created for real, nothing runs."""

PROVING = Held(
    "The operator finds out whether this Run:ai creates nothing on a dry run, which takes about a minute.",
    reason=Reason.PROVING_DRY_RUN,
)
UNSUPPORTED = InvalidWorkload(
    "This Run:ai created what it was only to check, as releases before 2.25 do, so the operator sends it no dry runs and"
    " deletes what was created: set managementPolicy: Manage to submit the workload, or have Run:ai upgraded and the operator"
    " restarted.",
    reason=Reason.DRY_RUN_UNSUPPORTED,
)


def refused(project_id: str, error: InvalidWorkload) -> InvalidWorkload:
    """What the refusal of a probe means for those who wait for it."""
    return InvalidWorkload(
        "Whether this Run:ai creates nothing on a dry run could not be found out: it refuses a suspended Job in project"
        f" {project_id}, with which the operator tries that. {error.message}",
        reason=Reason.DRY_RUN_UNSUPPORTED,
    )


def probe_mark(install: str) -> OwnerMark:
    """That of no object."""
    return OwnerMark(install, "", "dry-run-probe", "")


def probe_submission(install: str, project_id: str) -> Submission:
    name = probe_name(install, project_id)
    return Submission(name, project_id, with_mark(MANIFEST, name=name, mark=probe_mark(install)))


# --- what comes next


@dataclass(frozen=True, slots=True)
class Send:
    """The dry run."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """By name, in the project; and whether that is visible."""


@dataclass(frozen=True, slots=True)
class Read:
    """V2 GET."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class Remove:
    """DELETE of what is ours."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Some seconds before the next step; `error`: why that takes longer than it should."""

    seconds: float
    error: BridgeError | None = None


@dataclass(frozen=True, slots=True)
class End:
    """There is nothing left to do here; `proven`: dry runs create nothing."""

    proven: bool = False


Step = Send | LookUp | Read | Remove | Wait | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is known of the probe in one project. The methods are what happened, and each returns a copy."""

    install: str
    project_id: str
    wanted: bool = False
    """Somebody waits for the proof."""
    sent: bool = False
    """A dry run was sent, or may have been."""
    accepted: bool = False
    """That was answered, and not by a refusal."""
    made: bool = False
    """Something of ours was found after that."""
    workload_id: str | None = None
    """Of what may be, or is, ours."""
    is_told: bool = False
    """That id is from the answer to what we sent."""
    remote: Remote | None = None
    """What was read under that id last."""
    found: tuple[Candidate, ...] | None = None
    """What has the name; None before a look-up."""
    is_visible: bool = True
    looked_since: float | None = None
    """When the first complete look-up ended since something was sent."""
    steps: int = 0
    """Waits in a row."""

    @property
    def name(self) -> str:
        return probe_name(self.install, self.project_id)

    def next_step(self, *, now: float, grace: float) -> Step:
        if self.workload_id is not None:
            return self._about_ours(self.workload_id, now, grace)
        if self.found is None:
            return LookUp()
        if any(each.remote is None or not each.remote.gone for each in self.found):
            return self._held(now, grace)
        if not self.sent:
            return Send() if self.wanted else End()
        if not self.is_visible and self.wanted:
            hidden = (
                f"Project {self.project_id} is not visible to the operator, so what a dry run makes there is not known."
            )
            return Wait(BACKOFF_CEILING, InvalidWorkload(hidden, reason=Reason.DRY_RUN_UNSUPPORTED))
        if self.is_visible and not self._has_looked_for(grace, now):
            return Wait(next_sync_read(self.steps))
        return End(proven=self.accepted and self.is_visible and not self.made)

    def _about_ours(self, workload_id: str, now: float, grace: float) -> Step:
        if self.remote is None:
            return Read(workload_id)
        # Another process may have sent it, and would take it for proven that it made nothing.
        is_surely_seen = self.accepted or self._has_looked_for(grace, now)
        if self.remote.being_deleted or not is_surely_seen:
            return Wait(next_sync_read(self.steps))
        return Remove(workload_id)

    def _held(self, now: float, grace: float) -> Step:
        """The name is held by what is on its way out, by a stranger's, or by what is not shown, as a list may lag."""
        if self._has_looked_for(grace, now) and not self.wanted:
            return End()
        if self._has_looked_for(grace, now):
            taken = (
                f"Whether this Run:ai has dry runs is found out with a workload named {self.name}, and one that is not known to"
                f" be the operator's has this name in project {self.project_id}: remove it in Run:ai."
            )
            return Wait(BACKOFF_CEILING, NameTaken(taken, reason=Reason.DRY_RUN_UNSUPPORTED))
        return Wait(next_sync_read(self.steps))

    def _has_looked_for(self, seconds: float, now: float) -> bool:
        return self.looked_since is not None and now - self.looked_since >= seconds

    def waited(self) -> Probe:
        """What was read or found may be otherwise by now."""
        return replace(self, steps=self.steps + 1, remote=None, found=None)

    def answered(self, told_id: str | None) -> Probe:
        """The dry run was accepted; `told_id`: the id in the answer, if it had one."""
        is_told = told_id is not None
        return replace(self._asked(), accepted=True, workload_id=told_id, is_told=is_told)

    def unanswered(self) -> Probe:
        """Nobody knows what came of it, or the name was taken, perhaps by what an earlier one made."""
        return self._asked()

    def _asked(self) -> Probe:
        return replace(self, sent=True, accepted=False, found=None, looked_since=None, steps=0)

    def read(self, remote: Remote | None) -> Probe:
        if remote is None or remote.gone or not self._is_ours(remote):
            return replace(self, workload_id=None, is_told=False, remote=None, found=None, steps=0)
        return replace(self, remote=remote, made=self.sent)

    def looked_up(self, found: tuple[Candidate, ...], *, is_visible: bool, now: float) -> Probe:
        since = now if self.looked_since is None else self.looked_since
        looked = replace(self, found=found, is_visible=is_visible, looked_since=since if is_visible else None)
        ours = [each.remote for each in found if each.remote is not None and self._is_marked(each.remote)]
        standing = [remote for remote in ours if not remote.gone]
        return replace(looked, workload_id=standing[0].id).read(standing[0]) if standing else looked

    def removed(self) -> Probe:
        """Run:ai was asked to delete it, which takes time."""
        going = replace(self.remote, desired_phase="Deleted") if self.remote is not None else None
        return replace(self, remote=going, steps=0)

    def _is_ours(self, remote: Remote) -> bool:
        is_named = (remote.name, remote.project_id) == (self.name, self.project_id)
        return self._is_marked(remote) or (self.is_told and is_named and not remote.mark_readable)

    def _is_marked(self, remote: Remote) -> bool:
        return remote.mark == probe_mark(self.install)
