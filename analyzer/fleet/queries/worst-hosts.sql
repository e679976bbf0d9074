-- Which hosts to look at first: connections that findings of high severity are about
WITH accused AS (
    SELECT DISTINCT unnest(findings.streams) AS stream
    FROM findings
    WHERE findings.severity = 'high'
)
SELECT
    flows.host,
    count(*) AS connections,
    count(accused.stream) AS in_high_findings,
    count(accused.stream) FILTER (flows.verdict = 'dead_peer') AS dead_peers,
    count(accused.stream) FILTER (flows.verdict IN ('middlebox_reset', 'middlebox_drop')) AS forgotten_on_path,
    count(accused.stream) FILTER (flows.verdict = 'lost_state') AS forgotten_by_peer,
    count(accused.stream) FILTER (flows.verdict IN ('refused', 'no_answer')) AS never_made
FROM flows
LEFT JOIN accused ON flows.stream = accused.stream
GROUP BY flows.host
HAVING count(accused.stream) > 0
ORDER BY in_high_findings DESC, flows.host
