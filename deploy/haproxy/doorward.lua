-- Asks the sidecar whether a request may pass. Sets txn.doorward to "allowed" or
-- "refused"; anything else is no decision, and the request must not pass.
local door = "http://127.0.0.1:8475/auth"

core.register_action("doorward", { "http-req" }, function(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    local list = {}
    for i = 0, #values do list[#list + 1] = values[i] end
    headers[name] = list
  end
  -- What tells about the request is set here, in the place of what the client sent.
  headers["x-original-method"] = { txn.f:method() }
  headers["x-original-uri"] = { txn.f:pathq() }
  headers["x-original-content-length"] = headers["content-length"]
  headers["x-original-scheme"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["x-real-ip"] = { txn.f:src() }
  headers["content-length"], headers["transfer-encoding"], headers["expect"], headers["connection"] = nil, nil, nil, nil

  local answer = core.httpclient():get { url = door, headers = headers }
  if not answer then return end
  local function field(name)
    return answer.headers and answer.headers[name] and answer.headers[name][0] or ""
  end
  if answer.status == 200 then
    txn:set_var("txn.doorward_principal", field("x-auth-principal"))
    txn:set_var("txn.doorward", "allowed")
  elseif answer.status == 403 then
    txn:set_var("txn.doorward_code", field("x-doorward-code"))
    txn:set_var("txn.doorward", "refused")
  end
end, 0)
