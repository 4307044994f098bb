if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["bridge.run.ai/paused"] = nil
  if next(obj.metadata.annotations) == nil then
    -- Argo CD takes an empty table for an unchanged one.
    obj.metadata.annotations = nil
  end
end
return obj
