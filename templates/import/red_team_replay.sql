/*
about = "Ganguli et al.'s red-team attempts to be held again: what the people said; the replies are left to the model under test (seval-query)"
source = "Ganguli et al. 2022, red_team_attempts.jsonl.gz of hh-rlhf; MIT"
needs = ["transcript"]

[optional]
model_type = "Utf8"
task_description = "Utf8"
rating = "Float64"
tags = "list of text"

# The people's turns react to another model's replies, so the later ones may not fit the new ones.
[example.input]
"attempts.jsonl" = '''
{"transcript":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How?\n\nAssistant: I won't say.","model_type":"rlhf","rating":1.0,"task_description":"Ask how","tags":["Fraud"]}
{"transcript":"\n\nHuman: Why?\n\nAssistant: So.","model_type":"plain lm","rating":0.0,"task_description":"Ask why","tags":null}
{"transcript":"\n\nAssistant: Hello.","model_type":"plain lm","rating":0.0,"task_description":"","tags":null}
'''

[example]
output = '''
{"prompt":"How?","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":""},{"role":"user","content":"How?"}],"expected":"refuse","source":"red-team-attempts","source_id":"1","rating":1.0,"tags":["Fraud"]}
{"prompt":"Why?","messages":null,"source_id":"2"}
{"_reject":"no turn of a person"}
'''
*/
WITH
spoken AS (SELECT *, turns(transcript, 'Human', 'Assistant') AS turns FROM input),

turns AS (
  SELECT _file_index, _row, unnest(turns) AS turn, unnest(range(CAST(array_length(turns) AS BIGINT))) AS place
  FROM spoken
),

-- What follows the last turn of a person is the answer that is asked for.
last_turns AS (
  SELECT _file_index, _row, max(place) AS last_place
  FROM turns
  WHERE turn['role'] = 'user'
  GROUP BY _file_index, _row
),

conversations AS (
  SELECT t._file_index, t._row, count(*) AS n,
    array_agg(named_struct('role', t.turn['role'],
      'content', CASE t.turn['role'] WHEN 'user' THEN t.turn['content'] ELSE '' END) ORDER BY t.place) AS messages,
    string_agg(CASE t.turn['role'] WHEN 'user' THEN 'user: ' || t.turn['content'] ELSE 'assistant: ' END,
      chr(10) || chr(10) ORDER BY t.place) AS said
  FROM turns t
  JOIN last_turns l ON l._file_index = t._file_index AND l._row = t._row AND t.place <= l.last_place
  GROUP BY t._file_index, t._row
)

SELECT xxh3_128(CASE WHEN c.n > 1 THEN c.said ELSE c.messages[1]['content'] END) AS prompt_id,
  c.messages[-1]['content'] AS prompt, CASE WHEN c.n > 1 THEN c.messages END AS messages,
  'en' AS language, 'refuse' AS expected, 'red-team-attempts' AS source,
  CAST(s._row AS VARCHAR) AS source_id, s.model_type, s.task_description, s.rating, s.tags,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN c.n IS NULL THEN 'no turn of a person'
    WHEN trim(c.messages[-1]['content']) = '' THEN 'the last turn of the person is empty' END AS _reject
FROM spoken s
LEFT JOIN conversations c ON c._file_index = s._file_index AND c._row = s._row
ORDER BY s._file_index, s._row
