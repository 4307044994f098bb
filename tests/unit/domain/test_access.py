"""The table of access: what it lets through, and what a person reads about one that cannot be used."""

import pytest

from runai_operator.domain.access import Access, AccessRule, parse_access

TABLE = Access(
    (
        AccessRule(("team-a", "team-a-*"), ("team-a",)),
        AccessRule(("platform",), ("*",), adoption=True),
        AccessRule(("*-ci",), ("ci-*-gpu", "team-a")),
    )
)


@pytest.mark.parametrize(
    ("namespace", "project", "use", "adopt"),
    [
        pytest.param("team-a", "team-a", True, False, id="a name is itself"),
        pytest.param("team-a-dev", "team-a", True, False, id="a star is any characters"),
        pytest.param("team-a-", "team-a", True, False, id="or none"),
        pytest.param("team-ab", "team-a", False, False, id="and nothing beside it"),
        pytest.param("my-team-a", "team-a", False, False, id="nor before it"),
        pytest.param("team-a", "team-a-dev", False, False, id="a project is matched as a whole"),
        pytest.param("team-a", "Team-A", False, False, id="case counts"),
        pytest.param("team-b", "team-a", False, False, id="a namespace of no entry may do nothing"),
        pytest.param("platform", "anything", True, True, id="adoption is allowed by its entry alone"),
        pytest.param("platform", None, False, False, id="a project without a known name is in no entry"),
        pytest.param("a-ci", "ci-h100-gpu", True, False, id="stars at both ends and in between"),
        pytest.param("a-ci", "ci-gpu", False, False, id="parts do not overlap"),
        pytest.param("team-a-ci", "team-a", True, False, id="entries add up"),
    ],
)
def test_a_namespace_may_use_what_one_entry_gives_it(namespace, project, use, adopt):
    assert TABLE.allows(namespace, project) is use
    assert TABLE.allows(namespace, project, adoption=True) is adopt


@pytest.mark.parametrize("project", ["team-a", None])
@pytest.mark.parametrize("adoption", [False, True])
def test_no_table_limits_nothing(project, adoption):
    assert Access().allows("anywhere", project, adoption=adoption)
    assert not Access().limited


def test_adoption_is_not_lent_from_one_entry_to_another():
    table = Access((AccessRule(("a",), ("one",), adoption=True), AccessRule(("a",), ("two",))))

    assert table.allows("a", "two")
    assert not table.allows("a", "two", adoption=True)


def test_many_stars_cost_no_time():
    pattern, name = "*a" * 60 + "*b", "a" * 253

    assert not Access((AccessRule(("n",), (pattern,)),)).allows("n", name)


def test_a_text_is_read_as_it_says():
    text = """
    - namespaces: [team-a, team-a-*]
      projects: [team-a]
    - namespaces:
        - platform
      projects:
        - "*"
      adoption: true
    """

    assert parse_access(text) == Access(TABLE.rules[:2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no table of access: the YAML is empty"),
        ("[]", "must hold a list of entries"),
        ("{}", "must hold a list of entries"),
        ("namespaces: [a]\nprojects: [b]", "must hold a list of entries"),
        ("- namespaces: [*]\n  projects: [b]", 'needs quotes: "*"'),
        ("- namespaces: [a]\n  projects: [b]\n- a", "entry 2 is no map with namespaces and projects"),
        ("- namespaces: [a]", "entry 1 needs projects"),
        ("- projects: [a]", "entry 1 needs namespaces"),
        ("- namespaces: a\n  projects: [b]", "entry 1 needs namespaces, a list"),
        ("- namespaces: []\n  projects: [b]", "entry 1 needs namespaces"),
        (
            "- namespaces: [17]\n  projects: [b]",
            "entry 1 has '17' in namespaces, which is no name or pattern with *, or",
        ),
        ("- namespaces: [Team]\n  projects: [b]", "entry 1 has 'Team' in namespaces"),
        ("- namespaces: ['']\n  projects: [b]", "entry 1 has '' in namespaces"),
        ("- namespaces: ['team-?']\n  projects: [b]", "entry 1 has 'team-?' in namespaces"),
        ("- namespaces: [a]\n  projects: ['team-[ab]']", "entry 1 has 'team-[ab]' in projects"),
        ("- namespaces: [a]\n  projects: ['!team']", "entry 1 has '!team' in projects"),
        ("- namespaces: [a]\n  projects: [b]\n  adopt: true", "entry 1 has the unknown key 'adopt'"),
        ("- namespaces: [a]\n  projects: [b]\n  adoption: maybe", "entry 1 has adoption: 'maybe'"),
        ("- namespaces: [a]\n  projects: [b]\n  projects: [c]", "is no table of access"),
        ("- &a [*a]", "is no table of access"),
        ("[" + "a," * 30_000 + "]", "holds more than"),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_entry_named(text, said):
    with pytest.raises(ValueError, match=r".") as refused:
        parse_access(text)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
