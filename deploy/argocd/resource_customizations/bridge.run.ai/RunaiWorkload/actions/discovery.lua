local paused = false
if obj.metadata.annotations ~= nil then
  paused = obj.metadata.annotations["bridge.run.ai/paused"] == "true"
end

local actions = {}
actions["refresh"] = {
  ["displayName"] = "Refresh from Run:ai",
  ["iconClass"] = "fa fa-fw fa-sync",
  ["disabled"] = false
}
actions["pause"] = {
  ["displayName"] = "Pause",
  ["iconClass"] = "fa fa-fw fa-pause-circle",
  ["disabled"] = paused
}
actions["resume"] = {
  ["displayName"] = "Resume",
  ["iconClass"] = "fa fa-fw fa-play-circle",
  ["disabled"] = not paused
}
return actions
