/*
about = "EvalScope's predictions: the conversation that was sent and the model's response; whether it is right stands in the reviews"
source = "EvalScope (ModelScope), predictions/MODEL/TASK.jsonl"
needs = ["index", "model_output", "messages"]

[optional]
model = "Utf8"

[example.input]
"task.jsonl" = '''
{"index":0,"model":"org/m","model_output":{"model":"m-1","choices":[{"message":{"role":"assistant","content":"B"},"stop_reason":"stop"}],"usage":{"input_tokens":3,"output_tokens":1}},"messages":[{"role":"user","content":"Which?"}],"metadata":{}}
{"index":1,"model":"org/m","model_output":{"model":"m-1","choices":[{"message":{"role":"assistant","content":""},"stop_reason":"max_tokens"}],"usage":{"input_tokens":5,"output_tokens":9}},"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}],"metadata":{}}
{"index":2,"model":"org/m","model_output":{"model":"m-1","choices":[],"usage":null},"messages":[{"role":"system","content":"Be brief."}],"metadata":{}}
'''

[example]
output = '''
{"prompt":"Which?","messages":null,"source":"evalscope","source_id":"task-0","model":"org/m","sample":0,"response":"B","outcome":"answered","finish_reason":"stop","input_tokens":3,"output_tokens":1}
{"prompt":"Why?","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}],"source_id":"task-1","response":null,"outcome":"empty","finish_reason":"max_tokens"}
{"_reject":"no turn of a person"}
'''
*/
WITH
rows AS (
  SELECT *, CASE WHEN messages[-1]['role'] = 'user' THEN messages[-1]['content'] END AS prompt,
    array_length(messages) AS n,
    nullif(model_output['choices'][1]['message']['content'], '') AS response,
    model_output['choices'][1]['stop_reason'] AS finish_reason
  FROM input
),

turns AS (
  SELECT _file_index, _row, unnest(messages) AS turn, unnest(range(CAST(n AS BIGINT))) AS place
  FROM rows
  WHERE n > 1
),

conversations AS (
  SELECT _file_index, _row,
    array_agg(named_struct('role', turn['role'], 'content', turn['content']) ORDER BY place) AS messages,
    string_agg(turn['role'] || ': ' || coalesce(turn['content'], ''), chr(10) || chr(10) ORDER BY place) AS said
  FROM turns
  GROUP BY _file_index, _row
)

SELECT xxh3_128(coalesce(c.said, r.prompt)) AS prompt_id, r.prompt, c.messages, 'evalscope' AS source,
  regexp_replace(r._file, '^(.*/)?([^/.]*)[^/]*$', '\2') || '-' || CAST(r.index AS VARCHAR) AS source_id,
  coalesce(r.model, r.model_output['model'], 'unknown') AS model,
  CAST(row_number() OVER (PARTITION BY r._file_index, r.index ORDER BY r._row) AS BIGINT) - 1 AS sample,
  r.response,
  CASE WHEN r.response IS NULL THEN 'empty' WHEN r.finish_reason IN ('max_tokens', 'model_length') THEN 'truncated'
    ELSE 'answered' END AS outcome,
  r.finish_reason, r.model_output['usage']['input_tokens'] AS input_tokens,
  r.model_output['usage']['output_tokens'] AS output_tokens,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN r.prompt IS NULL THEN 'no turn of a person' END AS _reject
FROM rows r
LEFT JOIN conversations c ON c._file_index = r._file_index AND c._row = r._row
ORDER BY r._file_index, r._row
