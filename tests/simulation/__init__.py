"""The whole operator simulated: the real engine between a fake Kubernetes and a fake Run:ai, in virtual time, from one seed.

- `world.World`: the two sides, the feed of watch events, and the processes of the operator; everything that is random comes
  from its generator.
- `troubles`: what goes wrong between an operator and the two sides, as values.
- `acts`: what people, clusters and machines do, as values: each is a sentence, and does itself to a world.
- `invariants.Judge`: the promises. It is asked before each write to Run:ai, looks at the world all the time, and at the end.
- `history`: makes a list of acts from a seed, plays it, and makes one that fails shorter.
- `scripts`: short sequences of acts in the shape of known faults, of which histories are made beside swarms.
- `dry_scripts`: those about `managementPolicy: DryRun`.
- `weeks`: a life that goes on, after which nothing may have grown.

`python -m simulation` explores; `python -m simulation --seed 7` replays one history and prints it as a story.
"""
