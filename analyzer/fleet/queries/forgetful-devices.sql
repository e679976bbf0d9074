-- Behind which device connections were forgotten: by server, the longest silence survived and the shortest fatal one
WITH judged AS (
    SELECT flows.*, flows.verdict IN ('middlebox_reset', 'middlebox_drop') AS forgotten
    FROM flows
)
SELECT
    judged.server_address,
    judged.server_port,
    count(DISTINCT judged.client_address) FILTER (judged.forgotten) AS clients,
    count(*) FILTER (judged.verdict = 'middlebox_reset') AS resets,
    count(*) FILTER (judged.verdict = 'middlebox_drop') AS drops,
    round(max(judged.survived_silence_s), 1) AS survived_silence_s,
    round(min(judged.last_silence_s) FILTER (judged.forgotten), 1) AS fatal_silence_s
FROM judged
GROUP BY judged.server_address, judged.server_port
HAVING bool_or(judged.forgotten)
ORDER BY resets + drops DESC, judged.server_address, judged.server_port
