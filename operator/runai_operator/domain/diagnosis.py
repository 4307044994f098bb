"""What is wrong with an installation: findings from observations, without asking anybody.

Whoever looks (`commands.doctor`) puts `Unseen` where it could not look, and the check says so. Every check is a function of
`Observations`; `CHECKS` has them in the order in which they are shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from runai_operator.domain.model import FINALIZER, GROUP, KIND, PAUSED_ANNOTATION, PLURAL, VERSION, ManagementPolicy
from runai_operator.domain.reasons import Reason
from runai_operator.selector import Selector

OLDEST_MINOR = 31
"""Of Kubernetes 1: selectable fields."""
PATIENCE = timedelta(minutes=10)
"""How long a deletion, or a first look of the operator, may take before it is remarkable."""
CLOCK_TOLERANCE = timedelta(seconds=60)
MANY_RESTARTS = 3
SHOWN = 3
"""Objects named in one finding; the others are counted."""


class Severity(StrEnum):
    """Of a finding, the best first."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it may surprise."""
    UNSEEN = "not checked"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out."""

    check: str
    severity: Severity
    message: str
    """What is, in words of our own."""
    remedy: str = ""
    """What to do about it."""
    detail: str = ""
    """What others say of it (a status, a server): it may quote anything, so it goes into no archive."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Stands for what could not be looked at."""

    why: str


@dataclass(frozen=True, slots=True)
class PodSeen:
    name: str
    ready: bool
    restarts: int
    waiting: str = ""
    """The reason of a container that waits, such as `CrashLoopBackOff`."""
    said: str = ""


@dataclass(frozen=True, slots=True)
class InstallSeen:
    """One Deployment of the operator."""

    name: str
    """`namespace/name`."""
    version: str
    replicas: int
    ready: int
    pods: tuple[PodSeen, ...] | Unseen
    namespaces: tuple[str, ...]
    """That it watches; empty: all."""
    selector: Selector | None
    """Of the objects there that it serves; None: all."""
    install_id: str
    """Empty: that of the cluster."""
    problems: tuple[str, ...] | Unseen
    """Sentences about its settings."""
    missing_rights: tuple[str, ...] | Unseen
    orphans: int | Unseen


@dataclass(frozen=True, slots=True)
class WebhookSeen:
    """A webhook that is asked about RunaiWorkloads."""

    name: str
    """`ValidatingWebhookConfiguration name (webhook)`."""
    blocks: bool
    """While it does not answer, nothing is admitted."""


@dataclass(frozen=True, slots=True)
class RunaiSeen:
    """What Run:ai answered; text is what it said instead."""

    token: str | None
    """None: it was given."""
    projects: int | str = 0
    rows: str | None = None
    """None: the list of workloads answers; so for the next two."""
    deleted_rows: str | None = None
    v2: str | None = None
    ahead: timedelta | None = None
    """By how much its clock is ahead of this machine's."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything that was looked at."""

    client: str
    """The version of this program."""
    now: datetime
    namespace: str
    kubernetes: str | Unseen
    crd: Mapping[str, Any] | Unseen | None
    """As stored; None: there is none."""
    packaged: Mapping[str, Any]
    """The CustomResourceDefinition that this program comes with."""
    installs: tuple[InstallSeen, ...] | Unseen
    forbidden: tuple[str, ...] | Unseen
    """What the caller may not do with RunaiWorkloads in the namespace."""
    webhooks: tuple[WebhookSeen, ...] | Unseen
    objects: tuple[Mapping[str, Any], ...] | Unseen
    """RunaiWorkloads, of whose specs nothing is needed."""
    runai: RunaiSeen | Unseen


def diagnose(seen: Observations) -> list[Finding]:
    """What every check finds, in their order."""
    return [finding for check in CHECKS for finding in check(seen)]


def worst(findings: Iterable[Finding]) -> Severity:
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.OK)


def kubernetes(seen: Observations) -> Iterator[Finding]:
    """The version of the API server."""
    version = seen.kubernetes
    if isinstance(version, Unseen):
        yield _unseen("kubernetes", "The version of Kubernetes", version)
        return
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers is None:
        yield Finding("kubernetes", Severity.NOTE, f"Kubernetes calls itself {version}, which is no version.")
    elif (int(numbers[1]), int(numbers[2])) < (1, OLDEST_MINOR):
        message = f"Kubernetes {version} is too old: selectable fields came with 1.{OLDEST_MINOR}."
        yield Finding("kubernetes", Severity.ERROR, message, f"Upgrade the cluster to 1.{OLDEST_MINOR} or newer.")
    else:
        yield Finding("kubernetes", Severity.OK, f"Kubernetes {version}.")


def crd(seen: Observations) -> Iterator[Finding]:
    """Whether the CustomResourceDefinition is there, is served, and is the one that belongs to this version."""
    name, install = f"{PLURAL}.{GROUP}", "Install it: kubectl apply --server-side -k crds/, or the Helm chart."
    if isinstance(seen.crd, Unseen):
        yield _unseen("crd", f"The CustomResourceDefinition {name}", seen.crd)
        return
    if seen.crd is None:
        yield Finding("crd", Severity.ERROR, f"There is no CustomResourceDefinition {name}.", install)
        return
    found = list(_crd_findings(seen.crd, seen.packaged, seen.client))
    yield from found or [Finding("crd", Severity.OK, f"{name} is served, as version {seen.client} has it.")]


def _crd_findings(stored: Mapping[str, Any], packaged: Mapping[str, Any], client: str) -> Iterator[Finding]:
    if (stored.get("metadata") or {}).get("deletionTimestamp"):
        message = f"The CustomResourceDefinition is being deleted, and every {KIND} with it."
        remedy = "See docs/deletion.md: the operator keeps the workloads in Run:ai until the deletion is confirmed."
        yield Finding("crd", Severity.ERROR, message, remedy)
    status = stored.get("status") or {}
    conditions = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    for kind in ("Established", "NamesAccepted"):
        if conditions.get(kind) != "True":
            message = f"Kubernetes has not accepted the CustomResourceDefinition: {kind} is not True."
            yield Finding("crd", Severity.ERROR, message, "Read its conditions: kubectl describe crd.")
    versions = {one.get("name"): one for one in (stored.get("spec") or {}).get("versions") or ()}
    ours = versions.get(VERSION) or {}
    if not ours.get("served"):
        remedy = "Install the CustomResourceDefinition of this version: kubectl apply --server-side -k crds/."
        yield Finding("crd", Severity.ERROR, f"Version {VERSION} of {KIND}s is not served.", remedy)
    elif _schema(ours) != _schema({one["name"]: one for one in packaged["spec"]["versions"]}[VERSION]):
        message = f"The CustomResourceDefinition is not the one that version {client} has."
        remedy = "Upgrade the older of the two: this program, or the CustomResourceDefinition with the operator."
        yield Finding("crd", Severity.WARNING, message, remedy)
    if strange := [one for one in status.get("storedVersions") or () if one not in versions]:
        message = f"Objects may be stored in versions that are not defined any more: {', '.join(strange)}."
        remedy = "Write every object once (kubectl replace), then take the versions out of status.storedVersions."
        yield Finding("crd", Severity.WARNING, message, remedy)


def _schema(version: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a version accepts and shows, without what the API server adds to columns."""
    columns = [
        {key: value for key, value in column.items() if value not in (0, "")}
        for column in version.get("additionalPrinterColumns") or ()
    ]
    return (version.get("schema") or {}).get("openAPIV3Schema"), columns, version.get("selectableFields")


def operator(seen: Observations) -> Iterator[Finding]:
    """Whether it runs, as one, in the version of this program."""
    if isinstance(seen.installs, Unseen):
        yield _unseen("operator", "The operator", seen.installs, "Give --operator-namespace, or ask an administrator.")
        return
    if not seen.installs:
        message = "No Deployment has the label app.kubernetes.io/name=runai-operator."
        remedy = "Install the operator (docs/install.md), unless it runs outside of this cluster."
        yield Finding("operator", Severity.WARNING, message, remedy)
    for install in seen.installs:
        found = list(_install_findings(install, seen.client))
        fine = f"{install.name}, version {install.version}: {install.ready} of {install.replicas} ready."
        yield from found or [Finding("operator", Severity.OK, fine)]
    yield from _rivals(seen.installs)


def _install_findings(install: InstallSeen, client: str) -> Iterator[Finding]:
    if install.replicas == 0:
        remedy = "Scale it to 1: until then nothing is submitted, and deletions wait."
        yield Finding("operator", Severity.ERROR, f"{install.name} is scaled to 0.", remedy)
    elif install.ready < install.replicas:
        remedy = "kubectl describe and kubectl logs of its pod say more; readiness needs Kubernetes only, not Run:ai."
        yield Finding(
            "operator", Severity.ERROR, f"{install.name} is not ready ({install.ready} of {install.replicas}).", remedy
        )
    if isinstance(install.pods, Unseen):
        yield _unseen("operator", f"The pods of {install.name}", install.pods)
    else:
        yield from (finding for pod in install.pods for finding in _pod_findings(pod))
    if install.version != client:
        message = f"{install.name} has version {install.version}, this program {client}."
        yield Finding("operator", Severity.NOTE, message, "Use the same version of both, where an answer surprises.")


def _pod_findings(pod: PodSeen) -> Iterator[Finding]:
    if pod.waiting:
        remedies = {
            "CreateContainerConfigError": "Create the Secret or ConfigMap that it names.",
            "CrashLoopBackOff": "Read its log: kubectl logs --previous. Wrong settings end it with one line that names them.",
        }
        image = "See that the image is where the Deployment says, and that the node may pull it."
        remedy = remedies.get(pod.waiting) or (image if "Image" in pod.waiting else "kubectl describe pod says more.")
        yield Finding("operator", Severity.ERROR, f"Pod {pod.name} waits: {pod.waiting}.", remedy, pod.said)
    if pod.restarts > MANY_RESTARTS:
        remedy = (
            "kubectl logs --previous shows why it ended, kubectl describe pod whether it was killed for its memory."
        )
        yield Finding("operator", Severity.WARNING, f"Pod {pod.name} was restarted {pod.restarts} times.", remedy)


def _rivals(installs: Sequence[InstallSeen]) -> Iterator[Finding]:
    for at, one in enumerate(installs):
        for other in installs[at + 1 :]:
            both = not (one.namespaces and other.namespaces) or set(one.namespaces) & set(other.namespaces)
            if not (both and one.replicas and other.replicas):
                continue
            if one.selector is None or other.selector is None or not one.selector.excludes(other.selector):
                message = f"{one.name} and {other.name} serve the same objects: they get in each other's way."
                remedy = "Remove one, or give each its own OPERATOR_NAMESPACES or OPERATOR_SELECTOR (docs/sharding.md)."
                yield Finding("operator", Severity.ERROR, message, remedy)
            elif one.install_id != other.install_id:
                message = f"{one.name} and {other.name} serve objects by their labels and may have different installation ids."
                remedy = (
                    "Give them the same OPERATOR_INSTALL_ID, or an object that is moved is taken for somebody else's."
                )
                yield Finding("operator", Severity.WARNING, message, remedy)


def settings(seen: Observations) -> Iterator[Finding]:
    """What the operator would refuse or ignore of its environment."""
    for install in () if isinstance(seen.installs, Unseen) else seen.installs:
        if isinstance(install.problems, Unseen):
            yield _unseen("settings", f"The settings of {install.name}", install.problems)
            continue
        for problem in install.problems:
            ignored = "is ignored" in problem
            severity = Severity.WARNING if ignored else Severity.ERROR
            yield Finding("settings", severity, f"{install.name}: {problem}.", "Correct it (docs/configuration.md).")
        if not install.problems:
            yield Finding("settings", Severity.OK, f"{install.name}: nothing is wrong with its settings.")


def rights(seen: Observations) -> Iterator[Finding]:
    """Of the operator, and of who asks."""
    for install in () if isinstance(seen.installs, Unseen) else seen.installs:
        missing = install.missing_rights
        if isinstance(missing, Unseen):
            yield _unseen("rights", f"What {install.name} may do", missing, "An administrator can run this command.")
        elif missing:
            message = f"{install.name} may not {_some(missing)}."
            remedy = "Apply its roles again: helm upgrade, or kubectl apply -k deploy/kustomize (docs/rbac.md)."
            yield Finding("rights", Severity.ERROR, message, remedy)
        else:
            yield Finding("rights", Severity.OK, f"{install.name} may do all that it has to.")
    if isinstance(seen.forbidden, Unseen):
        yield _unseen("rights", "What you may do", seen.forbidden)
    elif seen.forbidden:
        message = f"You may not {_some(seen.forbidden)} {KIND}s in namespace {seen.namespace}."
        yield Finding(
            "rights", Severity.NOTE, message, "Ask an administrator for a role, if you need it (docs/rbac.md)."
        )
    else:
        yield Finding("rights", Severity.OK, f"You may do everything with {KIND}s in namespace {seen.namespace}.")


def webhooks(seen: Observations) -> Iterator[Finding]:
    """What may refuse or change RunaiWorkloads on their way."""
    if isinstance(seen.webhooks, Unseen):
        yield _unseen("webhooks", "Admission webhooks", seen.webhooks)
    elif not seen.webhooks:
        yield Finding("webhooks", Severity.OK, f"No admission webhook is asked about {KIND}s.")
    else:
        for webhook in seen.webhooks:
            if webhook.blocks:
                message = f"{webhook.name} is asked about {KIND}s, and refuses them while it does not answer."
                remedy = f"Take the group {GROUP} out of its rules, unless it is meant: status and finalizers wait for it too."
                yield Finding("webhooks", Severity.WARNING, message, remedy)
            else:
                message = f"{webhook.name} is asked about {KIND}s, and passed over while it does not answer."
                yield Finding("webhooks", Severity.NOTE, message)


def runai(seen: Observations) -> Iterator[Finding]:
    """Whether Run:ai lets us in, shows something, and answers what the operator asks it."""
    found = seen.runai
    if isinstance(found, Unseen):
        remedy = "Set RUNAI_BASE_URL, RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET_FILE, or give --as-operator."
        yield _unseen("run:ai", "Run:ai", found, remedy)
        return
    if found.token is not None:
        remedy = "Correct address, client id or secret; wrong ones also keep the operator from submitting."
        yield Finding("run:ai", Severity.ERROR, "Run:ai does not let the client in.", remedy, found.token)
        return
    yield Finding("run:ai", Severity.OK, "Run:ai lets the client in.")
    remedy = "Give the service account a role in the projects: AI practitioner is enough (docs/install.md)."
    if isinstance(found.projects, str):
        yield Finding("projects", Severity.ERROR, "Run:ai does not list projects.", remedy, found.projects)
    elif found.projects == 0:
        yield Finding("projects", Severity.ERROR, "Run:ai shows the client no project.", remedy)
    else:
        yield Finding("projects", Severity.OK, f"Run:ai shows {found.projects} projects.")
    again = "Status comes from there: ask who runs Run:ai, or try again."
    for said, what, consequence in (
        (found.rows, "the list of workloads", again),
        (found.deleted_rows, "the list of deleted workloads", again),
        (found.v2, "reads by the Workloads V2 API", "Run:ai 2.23 or newer is needed, and 2.24 for edits."),
    ):
        if said is None:
            yield Finding("answers", Severity.OK, f"Run:ai answers {what}.")
        else:
            yield Finding("answers", Severity.ERROR, f"Run:ai does not answer {what}.", consequence, said)
    yield from _clock(found.ahead)


def _clock(ahead: timedelta | None) -> Iterator[Finding]:
    if ahead is None:
        yield Finding("clock", Severity.UNSEEN, "Run:ai does not say what time it is there.")
        return
    seconds = round(abs(ahead.total_seconds()))
    if abs(ahead) > CLOCK_TOLERANCE:
        word = "ahead of" if ahead > timedelta() else "behind"
        message = f"The clock of Run:ai is {seconds} s {word} that of this machine."
        remedy = "Let both follow a time server: tokens and certificates may count as expired."
        yield Finding("clock", Severity.WARNING, message, remedy)
    else:
        yield Finding("clock", Severity.OK, f"Run:ai's clock and that of this machine differ by {seconds} s.")


def dry_runs(seen: Observations) -> Iterator[Finding]:
    """Whether Run:ai has dry runs, as far as the operator has shown what it found out: a doctor creates nothing to try it."""
    if isinstance(seen.objects, Unseen):
        return  # `objects` says so
    asking = [
        one for one in seen.objects if (one.get("spec") or {}).get("managementPolicy") == ManagementPolicy.DRY_RUN
    ]
    by_reason: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for one in asking:
        by_reason[_conditions(one).get("Ready", {}).get("reason")].append(one)
    valid, refused = by_reason[Reason.VALID], by_reason[Reason.DRY_RUN_UNSUPPORTED]
    if valid:
        yield Finding("dry runs", Severity.OK, f"Run:ai has dry runs: it found {_named(valid)} valid.")
    elif refused:
        message = (
            f"Dry runs are off: {_named(refused)} say{'s' if len(refused) == 1 else ''} {Reason.DRY_RUN_UNSUPPORTED}."
        )
        yield Finding(
            "dry runs", Severity.NOTE, message, _remedy(Reason.DRY_RUN_UNSUPPORTED), _said(refused[0], "Ready")
        )
    elif proving := by_reason[Reason.PROVING_DRY_RUN]:
        message = f"Whether Run:ai has dry runs is being found out, for {_named(proving)}."
        yield Finding("dry runs", Severity.NOTE, message, _remedy(Reason.PROVING_DRY_RUN), _said(proving[0], "Ready"))
    else:
        where = "asks for one" if not asking else "shows the answer"
        yield Finding("dry runs", Severity.OK, f"Whether Run:ai has dry runs is not known: no {KIND} seen {where}.")


def objects(seen: Observations) -> Iterator[Finding]:
    """RunaiWorkloads that will not go on by themselves, and what may surprise of others."""
    if isinstance(seen.objects, Unseen):
        yield _unseen("objects", f"{KIND}s", seen.objects)
        return
    found = list(_object_findings(seen.objects, seen.now))
    yield from found
    if not any(finding.severity in (Severity.WARNING, Severity.ERROR) for finding in found):
        yield Finding("objects", Severity.OK, f"{len(seen.objects)} {KIND}s were looked at, and none is stuck.")
    for install in () if isinstance(seen.installs, Unseen) else seen.installs:
        if isinstance(install.orphans, Unseen):
            yield _unseen("orphans", f"What {install.name} has left behind in Run:ai", install.orphans)
        elif install.orphans:
            message = f"{install.name} has left {install.orphans} workloads behind in Run:ai, without an object."
            yield Finding(
                "orphans", Severity.WARNING, message, "List them, then delete or forget them (docs/deletion.md)."
            )


def _object_findings(items: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        if trouble := _trouble(item, now):
            groups[trouble].append(item)
    for (kind, word), group in sorted(groups.items()):
        severity, what, remedy, condition = _TROUBLES[kind]
        yield _about(group, severity, f"{what}{word}", remedy or _remedy(word), condition)
    if paused := [item for item in items if _annotations(item).get(PAUSED_ANNOTATION) == "true"]:
        remedy = f"Resume them by removing the annotation {PAUSED_ANNOTATION}."
        yield _about(paused, Severity.NOTE, "paused: nothing is written to Run:ai for them", remedy)


_TROUBLES = {
    "deleting": (
        Severity.ERROR,
        f"being deleted for more than {PATIENCE.seconds // 60} minutes",
        "The condition Ready of each says what it waits for (docs/deletion.md).",
        "Ready",
    ),
    "not seen": (
        Severity.ERROR,
        f"waiting for an operator to look at them for {PATIENCE.seconds // 60} minutes",
        "See that an operator runs, is ready, and serves these namespaces (OPERATOR_NAMESPACES) and labels (OPERATOR_SELECTOR).",
        "",
    ),
    "stale": (Severity.WARNING, "shown as they were last seen: ", "", "Synced"),
    "stalled": (Severity.WARNING, "stalled: ", "", "Stalled"),
}
"""For each kind of trouble: how bad, in words (the reason follows), what to do unless the reason says so, and which condition
has a message about it."""


def _trouble(item: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
    """The kind of trouble, and the reason that is given for it."""
    metadata, status = item["metadata"], item.get("status") or {}
    conditions = _conditions(item)
    stalled, synced = conditions.get("Stalled") or {}, conditions.get("Synced") or {}
    if since := metadata.get("deletionTimestamp"):
        holds = FINALIZER in (metadata.get("finalizers") or ())
        return ("deleting", "") if holds and _is_long(since, now) else None
    if status.get("observedGeneration", -1) == -1:
        return ("not seen", "") if _is_long(metadata.get("creationTimestamp"), now) else None
    if stalled.get("status") == "True":
        return "stalled", str(stalled.get("reason"))
    return ("stale", str(synced.get("reason"))) if synced.get("status") == "Unknown" else None


def _annotations(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return item["metadata"].get("annotations") or {}


def _about(
    items: Sequence[Mapping[str, Any]], severity: Severity, what: str, remedy: str, condition: str = ""
) -> Finding:
    count = f"{len(items)} {KIND}{'s are' if len(items) > 1 else ' is'}"
    return Finding("objects", severity, f"{count} {what} ({_named(items)}).", remedy, _said(items[0], condition))


def _named(items: Sequence[Mapping[str, Any]]) -> str:
    return _some([f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items])


def _said(item: Mapping[str, Any], condition: str) -> str:
    return str(_conditions(item).get(condition, {}).get("message") or "")


def _conditions(item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(one.get("type")): one for one in (item.get("status") or {}).get("conditions") or ()}


def _remedy(word: str) -> str:
    known = {str(reason): reason for reason in Reason}
    if reason := known.get(word):
        return f"{reason.remedy} (docs/status.md#{reason.anchor})"
    return "The message of the condition says what to do."


def _is_long(since: str | None, now: datetime) -> bool:
    return since is not None and now - datetime.fromisoformat(since) > PATIENCE


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f"{', '.join(words[:SHOWN])}{more}"


def _unseen(
    check: str, what: str, unseen: Unseen, remedy: str = "Ask an administrator for the right, or to run this."
) -> Finding:
    return Finding(check, Severity.UNSEEN, f"{what}: not checked.", remedy, unseen.why)


CHECKS: tuple[Callable[[Observations], Iterator[Finding]], ...] = (
    kubernetes,
    crd,
    operator,
    settings,
    rights,
    webhooks,
    runai,
    dry_runs,
    objects,
)
