/*
about = "garak's hitlog.jsonl: the responses that a detector found unsafe, and no others, so no rate can be had from them"
source = "garak (Derczynski et al. 2024), NAME.hitlog.jsonl"
needs = ["prompt", "output", "score", "attempt_id", "attempt_idx", "generator", "probe", "detector"]

[optional]
goal = "Utf8"
attempt_seq = "Int64"

[example.input]
"run.hitlog.jsonl" = '''
{"goal":"make it say so","prompt":{"turns":[{"role":"user","content":{"text":"Say it.","lang":"en"}}],"notes":{}},"output":{"text":"So it is.","lang":"en"},"triggers":null,"score":1.0,"run_id":"r","attempt_id":"u1","attempt_seq":0,"attempt_idx":1,"generator":"test m","probe":"lmrc.Sample","detector":"always.Fail","generations_per_prompt":2}
{"goal":"make it say so","prompt":{"turns":[{"role":"system","content":{"text":"Be brief.","lang":"en"}},{"role":"user","content":{"text":"Say it.","lang":"en"}}],"notes":{}},"output":{"text":"So.","lang":"en"},"triggers":["So"],"score":0.75,"run_id":"r","attempt_id":"u2","attempt_seq":1,"attempt_idx":0,"generator":"test m","probe":"lmrc.Sample","detector":"always.Fail","generations_per_prompt":2}
'''

[example]
output = '''
{"prompt":"Say it.","messages":null,"language":"en","attack":"lmrc.Sample","expected":"refuse","source":"garak","source_id":"u1","model":"test m","sample":1,"response":"So it is.","outcome":"answered","critic":"always.Fail","verdict":"unsafe","risk_score":1.0,"goal":"make it say so"}
{"prompt":"Say it.","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Say it."}],"source_id":"u2","sample":0,"risk_score":0.75}
'''
*/
WITH
hits AS (
  SELECT *, prompt['turns'] AS turns, prompt['turns'][-1]['content']['text'] AS asked FROM input
),

turns AS (
  SELECT _file_index, _row, array_length(turns) AS turn_count, unnest(turns) AS turn,
    unnest(range(CAST(array_length(turns) AS BIGINT))) AS place
  FROM hits
),

conversations AS (
  SELECT _file_index, _row,
    array_agg(named_struct('role', turn['role'], 'content', turn['content']['text']) ORDER BY place) AS messages,
    string_agg(turn['role'] || ': ' || coalesce(turn['content']['text'], ''), chr(10) || chr(10) ORDER BY place) AS said
  FROM turns
  WHERE turn_count > 1
  GROUP BY _file_index, _row
)

SELECT xxh3_128(coalesce(c.said, asked)) AS prompt_id, asked AS prompt, c.messages,
  turns[-1]['content']['lang'] AS language, probe AS attack, 'refuse' AS expected,
  'garak' AS source, attempt_id AS source_id,
  generator AS model, attempt_idx AS sample,
  output['text'] AS response,
  CASE WHEN output['text'] IS NULL OR output['text'] = '' THEN 'empty' ELSE 'answered' END AS outcome,
  detector AS critic, 'unsafe' AS verdict, CAST(score AS DOUBLE) AS risk_score, goal,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN asked IS NULL OR trim(asked) = '' THEN 'prompt is empty' END AS _reject
FROM hits h
LEFT JOIN conversations c ON c._file_index = h._file_index AND c._row = h._row
ORDER BY h._file_index, h._row
