"""What is read of a Deployment, whoever wrote it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from runai_operator.commands.importing import _Reader
from runai_operator.commands.installs import Key, read_install
from runai_operator.commands.observing import is_about_workloads
from runai_operator.commands.runai_access import at_once, patiently
from runai_operator.domain.errors import AccessDenied, Busy, Throttled, Unavailable
from runai_operator.domain.model import Row

DEPLOYMENT = yaml.safe_load((Path(__file__).parents[3] / "deploy/kustomize/base/deployment.yaml").read_text())


def pod(**changes):
    container = {"name": "operator", "image": "x", **changes.pop("container", {})}
    return {"metadata": {}, "spec": {"template": {"spec": {"containers": [container], **changes}}}}


def test_the_kustomizations_deployment_is_read():
    install = read_install(DEPLOYMENT)

    assert install.maps == ("runai-operator",)
    assert install.keys == {"RUNAI_CLIENT_ID": Key("secrets", "runai-credentials", "clientId")}
    assert install.files == {"RUNAI_CLIENT_SECRET_FILE": Key("secrets", "runai-credentials", "clientSecret")}
    assert (install.version, install.service_account) == ("0.1.0", "runai-operator")


@pytest.mark.parametrize(
    "deployment", [{}, {"spec": None}, {"spec": {"template": {"spec": {}}}}, pod(container={"env": None})]
)
def test_a_deployment_that_lacks_everything_is_read(deployment):
    assert read_install(deployment).keys == {}


IMAGES = {
    "registry.example.com:5000/a/operator:1.2.3": "1.2.3",
    "registry.example.com:5000/a/operator:1.2.3@sha256:0": "1.2.3",
    "registry.example.com:5000/operator@sha256:0": "sha256:0",
    "registry.example.com:5000/operator": "latest",
}


@pytest.mark.parametrize(("image", "version"), IMAGES.items())
def test_the_version_is_the_tag(image, version):
    assert read_install(pod(container={"image": image})).version == version


FILES = {
    "by the key's own name": ({"secret": {"secretName": "s"}}, {}, Key("secrets", "s", "file")),
    "under another name": (
        {"secret": {"secretName": "s", "items": [{"key": "k", "path": "file"}]}}, {}, Key("secrets", "s", "k"),
    ),
    "from a ConfigMap": ({"configMap": {"name": "c"}}, {}, Key("configmaps", "c", "file")),
    "as a file of its own": ({"secret": {"secretName": "s"}}, {"mountPath": "/x/file", "subPath": "k"}, Key("secrets", "s", "k")),
    "of an agent": ({"emptyDir": {}}, {}, None),
    "elsewhere": ({"secret": {"secretName": "s"}}, {"mountPath": "/y"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("volume", "mount", "key"), FILES.values(), ids=FILES)
def test_where_a_file_comes_from_is_found(volume, mount, key):
    env = [{"name": "RUNAI_CLIENT_SECRET_FILE", "value": "/x/file"}]
    mounts = [{"name": "v", "mountPath": "/x", **mount}]

    install = read_install(pod(container={"env": env, "volumeMounts": mounts}, volumes=[{"name": "v", **volume}]))

    assert install.files.get("RUNAI_CLIENT_SECRET_FILE") == key


OURS = {"apiGroups": ["bridge.run.ai"], "apiVersions": ["v1alpha1"], "resources": ["runaiworkloads"]}
RULES = {
    "ours": (OURS, True),
    "everything": ({"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}, True),
    "every status": (OURS | {"resources": ["*/*"]}, True),
    "our status": (OURS | {"resources": ["runaiworkloads/status"]}, True),
    "another group": (OURS | {"apiGroups": ["apps"]}, False),
    "another version": (OURS | {"apiVersions": ["v1"]}, False),
    "another resource": (OURS | {"resources": ["pods", "*/scale"]}, False),
    "what belongs to no namespace": (OURS | {"scope": "Cluster"}, False),
}


@pytest.mark.parametrize(("rule", "is_ours"), RULES.values(), ids=RULES)
def test_a_webhook_is_about_us_by_its_rules(rule, is_ours):
    assert is_about_workloads([rule]) == is_ours


async def test_many_are_asked_together_and_answered_in_their_order():
    running, most, told = 0, 0, []

    async def job(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    assert await at_once(range(20), job, told.append, limit=4) == [number * 2 for number in range(20)]
    assert (most, told) == (4, list(range(1, 21)))


class Failing:
    """A Run:ai that fails for these ids, whenever it is asked."""

    def __init__(self, *ids):
        self.ids = ids

    async def submitted(self, workload_id):
        if workload_id in self.ids:
            raise Unavailable("Run:ai answers 500.")


@pytest.mark.looptime
async def test_a_workload_for_which_run_ai_fails_does_not_stop_the_reading_of_others_and_an_outage_does():
    rows = [Row(str(number), "a", "1") for number in range(40)]

    read = await at_once(rows, _Reader(Failing("3", "20", "39")), lambda _: None)
    assert [at for at, one in enumerate(read) if isinstance(one, Unavailable)] == [3, 20, 39]
    with pytest.raises(Unavailable):
        await at_once(rows, _Reader(Failing(*(row.id for row in rows))), lambda _: None)


async def test_the_first_failure_of_many_ends_them_all_and_is_raised_as_it_is():
    begun = []

    async def job(number):
        begun.append(number)
        raise AccessDenied("You may not.")

    with pytest.raises(AccessDenied):
        await at_once(range(20), job, lambda _: None, limit=4)
    assert len(begun) == 4


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("errors", "seconds"),
    [
        ([Busy("b")], 1),
        ([Unavailable("u"), Busy("b")], 5),
        ([Throttled("t", after=7)], 7),
        ([Throttled("t", after=9000)], 60),
    ],
    ids=["busy", "twice", "as long as it says", "but not for ever"],
)
async def test_who_is_patient_gets_an_answer_in_the_end(errors, seconds):
    left = list(errors)

    async def ask():
        if left:
            raise left.pop(0)
        return "answer"

    began = asyncio.get_running_loop().time()
    assert await patiently(ask) == "answer"
    assert asyncio.get_running_loop().time() - began == pytest.approx(seconds)


@pytest.mark.looptime
@pytest.mark.parametrize(("error", "tries"), [(Unavailable("u"), 4), (AccessDenied("a"), 1)])
async def test_patience_has_an_end_and_what_does_not_pass_is_not_waited_for(error, tries):
    asked = []

    async def ask():
        asked.append(1)
        raise error.twin()

    with pytest.raises(type(error)):
        await patiently(ask)
    assert len(asked) == tries
