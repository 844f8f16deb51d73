-- wrk posts the body in the file BODY and prints what came of it as one line of JSON.
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer " .. os.getenv("KEY")

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('\nTOLD{"requests":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
        summary.requests, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
