if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["bridge.run.ai/paused"] = "true"
return obj
