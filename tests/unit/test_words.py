"""The words of the project are those of its field: words of the first glossary do not come back.

A reader who knows Kubernetes, controller-runtime or Prometheus should not need a glossary of ours. Each row of `WORDS`
is one claim: this word is nowhere, apart from the places that are listed with the reason why it is right there.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

UNREAD = (
    "tests/unit/test_words.py",  # has to name what it forbids
    "LICENSE",
    "requirements*.txt",
    "*/go.mod",
    "*/go.sum",
    "deploy/helm/kubernetes-types.json",  # Kubernetes' own descriptions
    "*/values.schema.json",
)
EVERYWHERE = ("*",)
PRODUCT = ("operator/*", "docs/*", "deploy/*", "crds/*", "README.md", "Makefile")
CODE = ("operator/*", "tests/*")
PAGES = ("docs/*.md", "docs/*.yaml", "deploy/*", "crds/*", "README.md")


@dataclass(frozen=True)
class Word:
    """A word that went: `pattern` finds it, `instead` is what to write; `permitted` are paths where it is right."""

    pattern: str
    instead: str
    where: tuple[str, ...] = EVERYWHERE
    permitted: tuple[str, ...] = field(default=())
    case: bool = True


WORDS = {
    # actions and verdicts
    "Claim": Word(r"\bClaim\b", "AddFinalizer"),
    "Release, the action": Word(r"\bRelease\(", "RemoveFinalizer"),
    "let_go": Word(r"let_go(?!_of)\b", "finalize"),
    "Open, the action": Word(r"\bOpen\(", "BeginSubmission"),
    "Doubt, the action": Word(r"\bDoubt\(", "MarkInDoubt"),
    "Renew": Word(r"\bRenew\(", "ForgetWorkload"),
    "ReadDefinition": Word(r"\bReadDefinition\b", "ReadCRD"),
    "Settle": Word(r"\bSettle\b|\bsettle\(|\bsettling\b|SETTLING", "Result, build_status", CODE),
    "tell()": Word(r"(?<!\.)\btell\(", "ready_condition"),
    "MIRROR": Word(r"\bMIRROR\b", "IN_SYNC", CODE),
    "TROUBLE": Word(r"\bTROUBLE\b", "RETRYING", CODE),
    "PROGRESS": Word(r"\bPROGRESS\b", "WAITING", CODE),
    "REFUSED": Word(r"\bVerdict\.REFUSED\b|^ +REFUSED = ", "REJECTED", CODE),
    "Outcome": Word(r"\bOutcome\b", "Result"),
    "Story": Word(r"\bStory\b", "ReadyCondition"),
    "pass_done": Word(r"\bpass_done\b", "reconciled"),
    # values and parts
    "Wanted": Word(r"\bWanted\b", "Desired", CODE),
    "Situation": Word(r"\bSituation\b", "State", CODE),
    "Recorded": Word(r"\bRecorded\b", "StoredStatus", CODE),
    "Record": Word(
        r"\bRecords?\(|: Records?\b|-> Records?\b|\bRecords?\b(?= import|,? \w+ = )", "Entry, Inventory", CODE
    ),
    "Shown": Word(r"\bShown\b", "StatusSummary", CODE),
    "Head": Word(r"\bHead\b", "Meta", CODE),
    "Listed": Word(r"\bListed\b", "TableRow", CODE),
    "Looks": Word(r"\bLooks\b", "ReadScheduler", CODE),
    "Turns": Word(r"\bTurns\b", "DeletionLimiter", CODE),
    "Connection, the circuit breaker": Word(r"\bConnection\(", "CircuitBreaker", CODE),
    "Preparation": Word(r"\bPreparation\b|\bPrepared\b", "Renderer, Rendered", CODE),
    "DefinitionGuard": Word(r"\bDefinitionGuard\b", "CRDGuard"),
    "Definition": Word(r"\bDefinition\b|\bDEFINITION_|\bdefinition_guard\b", "CustomResourceDefinition, CRD"),
    "defect, of a spec": Word(r"\.defect\b|\bdefect=", "spec_error", ("operator/*",)),
    "share, of a queue": Word(r"\bshare=|\bshare:|\.share\b", "flow", CODE),
    "chance, of a delay": Word(r"\bchance=|\.chance\b|\bchance\(", "jitter", ("operator/*",)),
    "saw": Word(r"\.saw\(|\bdef saw\b", "update_meta", CODE),
    "look, a read of Run:ai": Word(r"\blooks?\(|\.looks?\b|\b_?\w+_looks?\b|\b_looks?\b", "read", ("operator/*",)),
    "renewals": Word(r"\brenewals\b", "recreations"),
    "unwritten": Word(r"\bunwritten\b", "pending_status"),
    # files
    "names of files that went": Word(
        r"runai_operator[./](?:domain|engine)[./](?:situation|deletion|pacing|preparation|definition|records|looks|turns"
        r"|settling|reading|yaml_reader|queue|connection)\b",
        "the file that holds it now",
    ),
    # metrics
    "passes_total": Word(r"passes_total", "reconcile_total"),
    "pass_seconds": Word(r"\bpass_seconds|_pass_seconds", "reconcile_time_seconds"),
    "queue_wait_seconds": Word(r"queue_wait_seconds", "workqueue_queue_duration_seconds"),
    "queue_depth, the metric": Word(r"operator_queue_depth", "workqueue_depth"),
    "deletions_slowed": Word(r"deletions_slowed", "deletions_rate_limited"),
    # English
    "heavy": Word(r"heav(?:y|ier|iest)\b|TooHeavy", "large", case=False),
    "lets go of": Word(r"\blet(?:s|ting)?[\s#]+go\b|lets?_go_of", "removes the finalizer, releases", case=False),
    "tells": Word(r"\b(?:tell|tells|telling|told)\b", "reports, shows, says, returns", PRODUCT, case=False),
    "its turn": Word(r"\b(?:whose|its|their)[\s#]+turn\b", "is rate-limited", case=False),
    "a look": Word(r"\b(?:a|fresh|take|taken|one)[\s#]+looks?\b(?!-)", "a read", PRODUCT, case=False),
    "has not looked": Word(r"\bnot[\s#]+(?:yet[\s#]+)?looked\b", "has not seen it", PRODUCT, case=False),
    "circuit without breaker": Word(r"\bcircuits?\b(?![\s#]+breaker|_open|\.py)", "circuit breaker", PAGES, case=False),
    "None is the whole cluster": Word(r"None is the whole cluster", "No namespaces means the whole cluster"),
    "one pass": Word(r"\b(?:one|each|every|a)[\s#]+pass\b", "reconcile", PAGES, case=False),
    # one way to do it
    "logger": Word(r"^logger = ", "log", ("operator/*",)),
    "TYPE_CHECKING": Word(
        r"\bTYPE_CHECKING\b",
        "imports for types beside the others",
        CODE,
        permitted=(
            "operator/runai_operator/kube/config_loader.py",  # a real import loads what it exists to avoid
            "operator/runai_operator/commands/*",  # likewise: help and completion are to be fast
        ),
    ),
}


@cache
def texts() -> dict[str, str]:
    """Text of every file that git knows, by its path, without those of `UNREAD`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    paths = [path for path in listed.stdout.split("\0") if path and not any(fnmatch(path, name) for name in UNREAD)]
    return {path: (REPOSITORY / path).read_text(errors="replace") for path in paths if (REPOSITORY / path).is_file()}


def places(word: Word) -> Iterator[str]:
    """`path:line: text` of every place where the word stands and is not permitted."""
    pattern = re.compile(word.pattern, re.MULTILINE | (0 if word.case else re.IGNORECASE))
    for path, text in texts().items():
        if not any(fnmatch(path, name) for name in word.where) or any(fnmatch(path, name) for name in word.permitted):
            continue
        lines = text.splitlines()
        for match in pattern.finditer(text):
            number = text.count("\n", 0, match.start())
            yield f"{path}:{number + 1}: {lines[number].strip()[:100]}"


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_the_first_glossary_is_gone(word):
    found = list(places(WORDS[word]))

    assert found == [], f"write instead: {WORDS[word].instead}"


@pytest.mark.parametrize("word", [name for name, word in WORDS.items() if word.permitted])
def test_every_permitted_place_is_needed(word):
    """Otherwise the permission would hide the word when it comes back."""
    entry = WORDS[word]
    unused = [
        name
        for name in entry.permitted
        if not any(
            fnmatch(path, name) and re.search(entry.pattern, text, re.MULTILINE) for path, text in texts().items()
        )
    ]

    assert unused == []
