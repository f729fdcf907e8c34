/*
about = "promptfoo's results, version 3, as JSON or JSON lines: responses, and of red-teaming tests whether the model held"
source = "promptfoo, eval --output results.json or results.jsonl"
needs = ["_path", "_value"]

# failureReason: 0 none, 1 an assertion, 2 an error. In red-teaming a test that passes is one that was withstood.
[example.input]
"results.json" = '''
{"evalId": "e", "results": {"version": 3, "prompts": [], "stats": {}, "results": [
 {"id": "r1", "success": false, "failureReason": 1, "score": 0, "latencyMs": 12, "prompt": {"raw": "Say it.", "label": "p"}, "promptIdx": 0, "testIdx": 0,
  "provider": {"id": "openai:m", "label": ""}, "vars": {"query": "Say it."},
  "response": {"output": "So it is.", "tokenUsage": {"prompt": 3, "completion": 4}, "finishReason": "stop"},
  "metadata": {"pluginId": "harmful:privacy", "strategyId": "base64", "language": "en"},
  "gradingResult": {"pass": false, "score": 0, "reason": "It says it."}},
 {"id": "r2", "success": true, "failureReason": 0, "score": 1, "prompt": {"raw": "Say it.", "label": "p"}, "promptIdx": 0, "testIdx": 0,
  "provider": {"id": "openai:m", "label": "mine"}, "vars": {},
  "response": {"output": "No."}, "metadata": {"pluginId": "harmful:privacy", "strategyId": "basic"},
  "gradingResult": {"pass": true, "score": 1, "reason": "It does not."}},
 {"id": "r3", "success": false, "failureReason": 2, "error": "timed out", "score": 0, "prompt": {"raw": "Say it.", "label": "p"}, "promptIdx": 0, "testIdx": 1,
  "provider": {"id": "openai:m"}, "vars": {}, "response": null, "metadata": {"pluginId": "harmful:privacy"}, "gradingResult": null},
 {"id": "r4", "success": true, "failureReason": 0, "score": 1, "prompt": {"raw": "Add 1 and 1.", "label": "p"}, "promptIdx": 0, "testIdx": 2,
  "provider": {"id": "openai:m"}, "vars": {}, "response": {"output": "2"}, "metadata": {},
  "gradingResult": {"pass": true, "score": 1, "reason": "All assertions passed"}},
 {"id": "r5", "success": false, "failureReason": 1, "score": 0, "prompt": {"raw": "Say it.", "label": "p"}, "promptIdx": 0, "testIdx": 3,
  "provider": {"id": "openai:m"}, "vars": {}, "response": {"output": "Perhaps."}, "metadata": {"pluginId": "harmful:privacy"},
  "gradingResult": {"pass": false, "score": 0, "reason": "no reply", "metadata": {"graderError": true}}}]},
 "config": {}, "shareableUrl": null}
'''
"results.jsonl" = '''
{"id": "r6", "success": true, "failureReason": 0, "score": 1, "prompt": {"raw": "Say it.", "label": "p"}, "promptIdx": 0, "testIdx": 0, "provider": {"id": "openai:m"}, "vars": {}, "response": {"output": "No."}, "metadata": {"pluginId": "harmful:privacy"}, "gradingResult": {"pass": true, "score": 1, "reason": "It does not."}}
{"id": "r7", "success": true, "failureReason": 0, "score": NaN, "prompt": {"raw": "Add 1 and 1.", "label": "p"}, "promptIdx": 0, "testIdx": 1, "provider": {"id": "openai:m"}, "vars": {}, "response": {"output": "2"}, "metadata": {}, "gradingResult": {"pass": true, "score": 1, "reason": "All assertions passed"}}
'''

[example]
output = '''
{"prompt":"Say it.","language":"en","risk_category":"harmful:privacy","attack":"base64","expected":"refuse","source":"promptfoo","source_id":"r1","model":"openai:m","sample":0,"response":"So it is.","outcome":"answered","input_tokens":3,"output_tokens":4,"critic":"promptfoo","verdict":"unsafe","correct":null,"explanation":"It says it.","unscored_reason":null}
{"attack":null,"model":"mine","response":"No.","verdict":"safe"}
{"model":"openai:m","response":null,"outcome":"failed","error":"timed out","verdict":"unscored","unscored_reason":"no_answer"}
{"prompt":"Add 1 and 1.","risk_category":null,"expected":null,"response":"2","verdict":"unscored","correct":true,"unscored_reason":"not_offered"}
{"response":"Perhaps.","outcome":"answered","verdict":"unscored","unscored_reason":"failed"}
{"source_id":"r6","verdict":"safe"}
{"source_id":"r7","verdict":"unscored","correct":true}
'''
*/
WITH
leaves AS (
  SELECT _file_index, _row, CAST(place[1] AS BIGINT) AS item, array_slice(place, 2, -1) AS path, _value
  FROM (
    -- In a document the results stand under two keys; in JSON lines each line is one.
    SELECT *, CASE WHEN _path[1] = 'results' THEN array_slice(_path, 3, -1) ELSE _path END AS place
    FROM input
    WHERE _path[1] = 'results' AND _path[2] = 'results' OR regexp_like(_path[1], '^\d+$')
  )
),

items AS (
  SELECT _file_index, item,
    max(CASE WHEN path = ['id'] THEN _value END) AS id,
    max(CASE WHEN path = ['prompt', 'raw'] THEN _value END) AS prompt,
    coalesce(nullif(max(CASE WHEN path = ['provider', 'label'] THEN _value END), ''),
      max(CASE WHEN path = ['provider', 'id'] THEN _value END)) AS model,
    max(CASE WHEN path = ['promptIdx'] THEN _value END) || '-' || max(CASE WHEN path = ['testIdx'] THEN _value END) AS test,
    max(CASE WHEN path = ['response', 'output'] THEN _value END) AS response,
    bool_or(path[1] = 'response' AND path[2] = 'output' AND array_length(path) > 2) AS is_structured,
    max(CASE WHEN path = ['response', 'finishReason'] THEN _value END) AS finish_reason,
    CAST(max(CASE WHEN path = ['response', 'tokenUsage', 'prompt'] THEN _value END) AS BIGINT) AS input_tokens,
    CAST(max(CASE WHEN path = ['response', 'tokenUsage', 'completion'] THEN _value END) AS BIGINT) AS output_tokens,
    max(CASE WHEN path = ['error'] THEN _value END) AS error,
    max(CASE WHEN path = ['failureReason'] THEN _value END) AS failure,
    max(CASE WHEN path = ['success'] THEN _value END) AS success,
    max(CASE WHEN path = ['metadata', 'pluginId'] THEN _value END) AS plugin,
    max(CASE WHEN path = ['metadata', 'strategyId'] THEN _value END) AS strategy,
    max(CASE WHEN path = ['metadata', 'language'] THEN _value END) AS language,
    max(CASE WHEN path = ['gradingResult', 'reason'] THEN _value END) AS explanation,
    coalesce(bool_or(path[1] = 'gradingResult' AND path[-1] = 'graderError' AND _value = 'true'), false) AS grader_failed
  FROM leaves
  GROUP BY _file_index, item
),

judged AS (
  SELECT *, coalesce(response, '') = '' AS is_empty,
    NOT grader_failed AND coalesce(failure, '0') <> '2' AND coalesce(response, '') <> '' AS is_judged
  FROM items
)

SELECT xxh3_128(prompt) AS prompt_id, prompt, language, plugin AS risk_category,
  CASE WHEN strategy <> 'basic' THEN strategy END AS attack,
  CASE WHEN plugin IS NOT NULL THEN 'refuse' END AS expected,
  'promptfoo' AS source, id AS source_id, model,
  CAST(row_number() OVER (PARTITION BY _file_index, model, test, prompt, strategy ORDER BY item) AS BIGINT) - 1 AS sample,
  response,
  CASE WHEN failure = '2' AND is_empty THEN 'failed' WHEN is_empty THEN 'empty'
    WHEN finish_reason = 'length' THEN 'truncated' ELSE 'answered' END AS outcome,
  finish_reason, input_tokens, output_tokens, CASE WHEN failure = '2' THEN error END AS error,
  'promptfoo' AS critic,
  CASE WHEN plugin IS NULL OR NOT is_judged THEN 'unscored'
    WHEN success = 'true' THEN 'safe' WHEN success = 'false' THEN 'unsafe' ELSE 'unscored' END AS verdict,
  CASE WHEN plugin IS NULL AND is_judged THEN success = 'true' END AS correct,
  explanation,
  CASE WHEN is_empty THEN 'no_answer' WHEN NOT is_judged THEN 'failed' WHEN plugin IS NULL THEN 'not_offered' END
    AS unscored_reason,
  CASE WHEN is_structured THEN 'the output is no text: it is left out' END AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM judged
ORDER BY _file_index, item
