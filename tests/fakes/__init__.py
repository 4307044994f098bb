"""Every double that more than one test file could use, and how nasty each one is.

The two sides of the bridge in memory, with time as a number (whole engine, model):

- `kube.FakeKube`: RunaiWorkloads with versions, generations, finalizers, write guards and the frozen identity of the CRD.
  Each process has a `FakeKubeAccess`. It is as strict as the API server, may forbid whole namespaces, and sources may be missing,
  forbidden or broken; its lists are never late or cut.
- `runai.FakeRunai`: the simulator's own world without sockets, with all of its switches (lag, slow deletions, ...). Each
  process has a `FakeRunaiAccess`.
- `chance.Chance`: what goes wrong at which call of one process: a crash or a lost answer, before or after the effect, or
  no connection at all. It also lets a test act between the effect of a call and its answer. Both accesses ask it.
- `bench.Bench`: an engine between the two in virtual time, with the acts of people as methods.
- `direct`: fence, gate and upstream without an event loop, for passes that are driven by hand. They never refuse a call.
- `observer.SilentObserver` hears everything and counts bugs; `clock.ManualClock` stands still.

Run:ai for the adapter and for the gate:

- `scripted_runai.ScriptedRunai`: below httpx, plays the answers and exceptions it is told to, byte for byte.
- `troubled_runai.TroubledRunai`: behind the engine's port, knows no workloads; slow or failing by class of call.
- `uneven_runai.UnevenRunai`: before the world in memory, each call or class of calls slow, failing or refused as told,
  before or after its effect; it notes what it is asked and when.
- `simulated_runai.SimulatedRunai`: the real simulator on a real socket, with a clock that only the test moves.

Kubernetes for the adapter and for the kopf shell:

- `apiserver.FakeApiServer`: a small API server on a real socket, for what a real one cannot be made to do: silence, cut
  watches, refused tokens, any fault in its place. It stores nothing and validates nothing.
- `storing_apiserver.StoringApiServer`: the same with a memory: it takes guarded patches, and keeps every one.
- `shell.Shell`: the kopf shell, running, and what it told.

The real things (API server, operator and simulator as processes) are in `controlplane` and `stack`.
"""
