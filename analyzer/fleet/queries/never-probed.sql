-- Which idle connections nobody probed: by server, how many, and silent for how long at the end
WITH captured AS (
    SELECT max(flows."end") AS until FROM flows
)
SELECT
    flows.server_address,
    flows.server_port,
    count(*) AS connections,
    count(DISTINCT flows.client_address) AS clients,
    round(min(epoch(captured.until) - epoch(flows."end")), 1) AS shortest_silence_s,
    round(max(epoch(captured.until) - epoch(flows."end")), 1) AS longest_silence_s
FROM flows
CROSS JOIN captured
WHERE flows.verdict = 'unprotected'
GROUP BY flows.server_address, flows.server_port
ORDER BY longest_silence_s DESC, flows.server_address, flows.server_port
