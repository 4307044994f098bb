"""Argo CD's Lua for one kind, in the sandbox of scripts from `argocd-cm` (argo-cd, util/lua).

Such a script gets the base, package and table libraries and `require("os")` with `time` and `date` alone: no string, no
math, no methods on strings. Scripts built into Argo CD have all libraries, so one for the sandbox serves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from lupa import lua51, luajit21

from readers import Json

FLAVOURS: dict[str, ModuleType] = {"Lua 5.1": lua51, "LuaJIT": luajit21}
HEALTHS = frozenset({"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"})
DELETING = "Pending deletion"

DATE_FLAGS = {
    "Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "M": "%M", "S": "%S", "X": "%H:%M:%S", "F": "%Y-%m-%d",
}  # fmt: skip
"""What `os.date` knows there, of what our scripts may use; it leaves other letters as they are."""

SANDBOX = """
local time, date = ...
debug.setmetatable("", nil)
local allowed = {}
for name in string.gmatch([[
  _G _VERSION assert collectgarbage dofile error getfenv getmetatable ipairs load loadfile loadstring module newproxy
  next package pairs pcall print rawequal rawget rawset require select setfenv setmetatable table tonumber tostring
  type unpack xpcall]], "%S+") do
  allowed[name] = true
end
local setfenv, loadstring, setmetatable, pairs, assert = setfenv, loadstring, setmetatable, pairs, assert
for name in pairs(package.loaded) do
  if name ~= "_G" and name ~= "table" and name ~= "package" then package.loaded[name] = nil end
end
package.preload.os = function() return {time = time, date = date} end
local globals = _G
for name in pairs(globals) do
  if not allowed[name] then globals[name] = nil end
end
return function(source)
  local chunk = assert(loadstring(source))
  return function(obj)
    local own = {obj = obj}
    setfenv(chunk, setmetatable(own, {__index = globals}))
    return chunk(), own
  end
end
"""


class ScriptError(Exception):
    """A script failed, or returned what Argo CD cannot use."""


@dataclass(frozen=True, slots=True)
class Health:
    status: str
    message: str


class Script:
    """One Lua script, compiled once; every run has globals of its own."""

    def __init__(self, path: Path, flavour: str, *, now: datetime | None = None) -> None:
        """`now` is what the script's clock shows, UTC."""
        self._module = FLAVOURS[flavour]
        self._lua = self._module.LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
        self._now = now or datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
        compile_in_sandbox = self._lua.execute(SANDBOX, self._time, self._date)
        self._run = compile_in_sandbox(path.read_text())

    def run(self, item: Json) -> Any:
        """What the script returns, as the JSON that Argo CD makes of it. Raises `ScriptError`."""
        try:
            answer, own = self._run(self._lua.table_from(item, recursive=True))
        except self._module.LuaError as error:
            raise ScriptError(str(error)) from error
        if leaked := set(own) - {"obj"}:
            raise ScriptError(f"sets globals: {sorted(leaked)}")
        if self._module.lua_type(answer) != "table":
            raise ScriptError("returns no table")
        return self._to_json(answer)

    def _to_json(self, value: Any) -> Any:
        if self._module.lua_type(value) != "table":
            return value
        keys = list(value)
        if all(isinstance(key, int) for key in keys):
            return [self._to_json(value[key]) for key in sorted(keys)]  # an empty table is a list, as it is there
        return {key: self._to_json(value[key]) for key in keys}

    def _time(self) -> int:
        return int(self._now.timestamp())

    def _date(self, pattern: str) -> str:
        pieces = pattern.removeprefix("!").split("%")
        return pieces[0] + "".join(_flag(self._now, piece) for piece in pieces[1:])


def _flag(now: datetime, piece: str) -> str:
    letter, rest = piece[:1], piece[1:]
    return (now.strftime(DATE_FLAGS[letter]) if letter in DATE_FLAGS else f"%{letter}") + rest


class Argo:
    """The customization of one kind: a folder `<group>/<kind>` of Argo CD's resource_customizations."""

    def __init__(self, folder: Path, flavour: str, *, now: datetime | None = None) -> None:
        self._health = Script(folder / "health.lua", flavour)
        self._discovery = Script(folder / "actions" / "discovery.lua", flavour)
        self._actions = {
            path.parent.name: Script(path, flavour, now=now) for path in (folder / "actions").glob("*/action.lua")
        }

    def health_of(self, item: Json) -> Health:
        """As the released versions do it: whatever is being deleted is Progressing, before any script runs."""
        if item["metadata"].get("deletionTimestamp"):
            return Health("Progressing", DELETING)
        return self.script_health_of(item)

    def script_health_of(self, item: Json) -> Health:
        """What the script alone says; an error or an unknown word is Unknown."""
        with suppress(ScriptError):
            answer = self._health.run(item)
            if answer.get("status") in HEALTHS:
                return Health(answer["status"], answer.get("message") or "")
        return Health("Unknown", "")

    def actions_of(self, item: Json) -> dict[str, Json]:
        """The actions offered for an object, by name."""
        found = self._discovery.run(item)
        return found if isinstance(found, dict) else {}

    def act(self, action: str, item: Json) -> Json:
        """The object as the action leaves it."""
        left: Json = _as_it_was_where_empty(self._actions[action].run(item), item)
        return left

    def __iter__(self) -> Iterator[str]:
        """The names of the actions that have a script."""
        return iter(self._actions)


def _as_it_was_where_empty(new: Any, old: Any) -> Any:
    """An empty table may be a list or a mapping; Argo CD takes it for what it was, contents and all."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: _as_it_was_where_empty(value, old.get(key)) for key, value in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [_as_it_was_where_empty(*pair) for pair in zip(new, old, strict=False)] + new[len(old) :]
    return old if new == [] and isinstance(old, dict) else new
