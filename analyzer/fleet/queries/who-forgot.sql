-- Who forgot connections: hosts that answered a probe or data with an RST, and when
SELECT
    CASE flows.ending_by WHEN 'client' THEN flows.client_address ELSE flows.server_address END AS forgetful_address,
    CASE flows.ending_by WHEN 'client' THEN flows.client_port ELSE flows.server_port END AS forgetful_port,
    count(*) AS connections,
    count(DISTINCT flows.host) AS hosts,
    min(flows.ending_time) AS first_reset,
    max(flows.ending_time) AS last_reset
FROM flows
WHERE flows.verdict = 'lost_state'
GROUP BY ALL
ORDER BY connections DESC, forgetful_address, forgetful_port
