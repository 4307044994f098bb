-- The conditions follow kstatus: Ready, and at most one of Reconciling and Stalled, which are present only when true.
-- docs/status.md of runai-operator lists what each situation shows.
local hs = { status = "Progressing", message = "Waiting for runai-operator to observe the latest change" }

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type ~= nil then
      conditions[condition.type] = condition
    end
  end
end
local ready = conditions["Ready"]

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "Pending deletion"
  if ready ~= nil and ready.reason == "Deleting" then
    hs.message = "Pending deletion: " .. (ready.message or "")
  end
  return hs
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation or ready == nil then
  return hs
end

hs.message = ready.message or ""
if ready.reason == "Paused" then
  hs.status = "Suspended"
elseif conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  hs.status = "Degraded"
elseif ready.reason == "Degraded" then
  hs.status = "Degraded"
elseif conditions["Reconciling"] ~= nil and conditions["Reconciling"].status == "True" then
  hs.status = "Progressing"
elseif ready.status == "True" and ready.reason == "Stopped" then
  hs.status = "Suspended"
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
