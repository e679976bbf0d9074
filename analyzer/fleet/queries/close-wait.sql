-- Which programs never close: connections in CLOSE-WAIT by the host that holds them, and since when
SELECT
    CASE
        WHEN flows.state_client = 'CLOSE-WAIT' THEN flows.client_address
        WHEN flows.state_server = 'CLOSE-WAIT' THEN flows.server_address
    END AS leaking_address,
    CASE
        WHEN flows.state_client = 'CLOSE-WAIT' THEN 'client'
        WHEN flows.state_server = 'CLOSE-WAIT' THEN 'server'
    END AS leaking_side,
    flows.server_address,
    flows.server_port,
    count(*) AS connections,
    min(flows."end") AS oldest_since
FROM flows
WHERE flows.verdict = 'close_wait_leak'
GROUP BY ALL
ORDER BY connections DESC, leaking_address, flows.server_address, flows.server_port
