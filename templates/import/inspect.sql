/*
about = "Logs of Inspect, .eval or JSON: one row for each sample and scorer, with the score as the log has it"
source = "Inspect (UK AI Security Institute), EvalLog version 2"
needs = ["_path", "_value"]

# A log in one document. An .eval file is an archive with one document a sample, and is read as it is.
[example.input]
"log.json" = '''
{"version": 2, "status": "success", "eval": {"task": "my_task", "model": "org/m"},
 "samples": [
  {"id": 1, "epoch": 1, "input": "Which?", "choices": ["a", "b"], "target": "B",
   "output": {"model": "m-1", "choices": [{"message": {"role": "assistant", "content": "B"}, "stop_reason": "stop"}],
    "usage": {"input_tokens": 3, "output_tokens": 1}},
   "scores": {"choice": {"value": "C", "answer": "B", "explanation": "It says B."}, "length": {"value": 0.5}, "two": {"value": {"a": 1, "b": 0}}}},
  {"id": 2, "epoch": 1,
   "input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
   "output": {"model": "m-1", "choices": [{"message": {"role": "assistant",
     "content": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "So."}]}, "stop_reason": "max_tokens"}]},
   "scores": {"choice": {"value": "I"}}},
  {"id": 3, "epoch": 2, "input": "Who?", "output": {"choices": []}, "scores": {}, "error": {"message": "It broke."}},
  {"id": 4, "epoch": 1, "input": [{"role": "system", "content": "Be kind."}], "output": {"choices": []}, "scores": {}}]}
'''

[example]
output = '''
{"prompt":"Which?","messages":null,"expected":"B","choices":["a","b"],"source":"my_task","source_id":"1","model":"org/m","sample":0,"response":"B","outcome":"answered","finish_reason":"stop","input_tokens":3,"output_tokens":1,"served_model":"m-1","critic":"choice","score":"C","correct":true,"choice":"B","explanation":"It says B.","verdict":"unscored","unscored_reason":"not_offered"}
{"source_id":"1","critic":"length","score":"0.5","correct":null}
{"source_id":"1","critic":"two","score":null,"_warning":"a score of several values: it is left out"}
{"prompt":"Why?","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Why?"}],"response":"So.","reasoning":"Hm.","outcome":"truncated","critic":"choice","score":"I","correct":false}
{"prompt":"Who?","sample":1,"response":null,"outcome":"failed","error":"It broke.","critic":null,"score":null,"unscored_reason":"no_answer"}
{"_reject":"no turn of a person"}
'''
*/
WITH
-- A log in one document has its samples in a list; in an archive each has a document of its own.
leaves AS (
  SELECT _file_index, _row, _value, regexp_replace(_file, '\.eval:.*$', '.eval') AS log,
    CASE WHEN _path[1] = 'samples' THEN _path[2] ELSE _file END AS item,
    CASE WHEN _path[1] = 'samples' THEN array_slice(_path, 3, -1) ELSE _path END AS path
  FROM input
  WHERE _path[1] = 'samples' OR _file LIKE '%.eval:samples/%'
),

headers AS (
  SELECT regexp_replace(_file, '\.eval:.*$', '.eval') AS log,
    max(CASE WHEN _path[2] = 'task' THEN _value END) AS task,
    max(CASE WHEN _path[2] = 'model' THEN _value END) AS model
  FROM input
  WHERE _path[1] = 'eval' AND array_length(_path) = 2
  GROUP BY 1
),

samples AS (
  SELECT log, item, min(_file_index) AS file_index, min(_row) AS first_row,
    max(CASE WHEN path[1] = 'id' THEN _value END) AS id,
    CAST(max(CASE WHEN path[1] = 'epoch' THEN _value END) AS BIGINT) AS epoch,
    max(CASE WHEN path = ['input'] THEN _value END) AS input_text,
    max(CASE WHEN path = ['target'] OR path = ['target', '0'] THEN _value END) AS target,
    array_agg(_value ORDER BY _row) FILTER (WHERE path[1] = 'choices' AND array_length(path) = 2) AS choices,
    max(CASE WHEN path = ['output', 'model'] THEN _value END) AS served_model,
    max(CASE WHEN path = ['output', 'choices', '0', 'stop_reason'] THEN _value END) AS finish_reason,
    -- The content is a text, or parts of which those called text are said and others thought.
    string_agg(CASE WHEN array_slice(path, 1, 5) = ['output', 'choices', '0', 'message', 'content']
      AND (array_length(path) = 5 OR path[7] = 'text') THEN _value END, '' ORDER BY _row) AS response,
    string_agg(CASE WHEN array_slice(path, 1, 5) = ['output', 'choices', '0', 'message', 'content']
      AND path[7] = 'reasoning' THEN _value END, '' ORDER BY _row) AS reasoning,
    CAST(max(CASE WHEN path = ['output', 'usage', 'input_tokens'] THEN _value END) AS BIGINT) AS input_tokens,
    CAST(max(CASE WHEN path = ['output', 'usage', 'output_tokens'] THEN _value END) AS BIGINT) AS output_tokens,
    max(CASE WHEN path = ['error', 'message'] OR path = ['output', 'error'] THEN _value END) AS error
  FROM leaves
  GROUP BY log, item
),

turns AS (
  SELECT log, item, CAST(path[2] AS BIGINT) AS turn,
    max(CASE WHEN path[3] = 'role' THEN _value END) AS role,
    string_agg(CASE WHEN path[3] = 'content' AND (array_length(path) = 3 OR path[5] = 'text') THEN _value END,
      '' ORDER BY _row) AS content
  FROM leaves
  WHERE path[1] = 'input' AND array_length(path) > 2
  GROUP BY log, item, path[2]
),

conversations AS (
  SELECT log, item, count(*) AS n,
    array_agg(named_struct('role', role, 'content', content) ORDER BY turn) AS messages,
    string_agg(role || ': ' || coalesce(content, ''), chr(10) || chr(10) ORDER BY turn) AS said
  FROM turns
  GROUP BY log, item
),

scores AS (
  SELECT log, item, path[2] AS critic, min(_row) AS score_row,
    max(CASE WHEN path[3] = 'value' AND array_length(path) = 3 THEN _value END) AS score,
    bool_or(path[3] = 'value' AND array_length(path) > 3) AS is_several,
    max(CASE WHEN path[3] = 'answer' THEN _value END) AS answer,
    max(CASE WHEN path[3] = 'explanation' THEN _value END) AS explanation
  FROM leaves
  WHERE path[1] = 'scores' AND array_length(path) > 2
  GROUP BY log, item, path[2]
),

rows AS (
  SELECT s.*, h.task, h.model, c.score_row, c.critic, c.score, c.is_several, c.answer, c.explanation,
    v.messages, v.n, v.said,
    CASE WHEN v.n IS NULL THEN s.input_text
      WHEN v.messages[-1]['role'] = 'user' THEN v.messages[-1]['content'] END AS prompt
  FROM samples s
  JOIN headers h ON h.log = s.log
  LEFT JOIN conversations v ON v.log = s.log AND v.item = s.item
  LEFT JOIN scores c ON c.log = s.log AND c.item = s.item
)

SELECT xxh3_128(CASE WHEN n > 1 THEN said ELSE prompt END) AS prompt_id, prompt,
  CASE WHEN n > 1 THEN messages END AS messages, target AS expected, choices,
  task AS source, id AS source_id, model, epoch - 1 AS sample, response, reasoning,
  CASE
    WHEN error IS NOT NULL AND coalesce(response, '') = '' THEN 'failed'
    WHEN finish_reason = 'content_filter' THEN 'filtered'
    WHEN coalesce(response, '') = '' THEN 'empty'
    WHEN finish_reason IN ('max_tokens', 'model_length') THEN 'truncated'
    ELSE 'answered' END AS outcome,
  finish_reason, input_tokens, output_tokens, served_model, error, critic, score,
  -- Whether a score is of safety, and in which direction, is the task's own: the log does not say.
  CASE score WHEN 'C' THEN true WHEN 'I' THEN false END AS correct,
  answer AS choice, explanation, 'unscored' AS verdict,
  CASE WHEN coalesce(response, '') = '' THEN 'no_answer' ELSE 'not_offered' END AS unscored_reason,
  CASE WHEN prompt LIKE 'attachment://%' OR response LIKE 'attachment://%'
    THEN 'a text stands among the attachments of the log'
    WHEN is_several THEN 'a score of several values: it is left out' END AS _warning,
  CASE WHEN prompt IS NULL THEN 'no turn of a person' WHEN model IS NULL THEN 'the log has no header' END AS _reject
FROM rows
ORDER BY file_index, first_row, score_row
