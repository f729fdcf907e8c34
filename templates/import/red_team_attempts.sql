/*
about = "Ganguli et al.'s red-team attempts: conversations whose last reply is the response, with ratings, scores, and the models' kinds and sizes"
source = "Ganguli et al. 2022, red_team_attempts.jsonl.gz of hh-rlhf; MIT"
needs = ["transcript", "model_type", "num_params", "rating"]

[optional]
min_harmlessness_score_transcript = "Float64"
task_description = "Utf8"
red_team_member_id = "Int64"
tags = "list of text"

# The replies of the model of that time are kept.
[example.input]
"attempts.jsonl" = '''
{"transcript":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How?\n\nAssistant: I won't say.","min_harmlessness_score_transcript":-1.5,"num_params":"52B","model_type":"rlhf","rating":1.0,"task_description":"Ask how","red_team_member_id":7,"tags":["Fraud"]}
{"transcript":"\n\nHuman: Why?\n\nAssistant: So.","min_harmlessness_score_transcript":0.5,"num_params":"3B","model_type":"plain lm","rating":0.0,"task_description":"Ask why","red_team_member_id":8,"tags":null}
{"transcript":"\n\nHuman: Why?\n\nAssistant: Thus.","min_harmlessness_score_transcript":0.5,"num_params":"3B","model_type":"plain lm","rating":0.0,"task_description":"Ask why","red_team_member_id":8,"tags":null}
{"transcript":"Nobody speaks.","min_harmlessness_score_transcript":null,"num_params":"3B","model_type":"plain lm","rating":0.0,"task_description":"","red_team_member_id":8,"tags":null}
'''

[example]
output = '''
{"prompt":"How?","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"How?"}],"response":"I won't say.","model":"rlhf 52B","model_type":"rlhf","num_params":"52B","rating":1.0,"min_harmlessness_score_transcript":-1.5,"red_team_member_id":"7","risk_tags":["Fraud"]}
{"prompt":"Why?","messages":null,"model":"plain lm 3B","sample":0,"response":"So."}
{"prompt":"Why?","sample":1,"response":"Thus."}
{"_reject":"no turn of a person"}
'''
*/
WITH
rows AS (SELECT *, turns(transcript, 'Human', 'Assistant') AS turns FROM input),

cut AS (
  SELECT *,
    CASE turns[-1]['role'] WHEN 'assistant' THEN turns[-1]['content'] END AS response,
    CASE turns[-1]['role'] WHEN 'assistant' THEN array_slice(turns, 1, -2) ELSE turns END AS messages,
    CASE turns[-1]['role'] WHEN 'assistant'
      THEN regexp_replace(transcript, '^(.*)\n\nAssistant:.*$', '\1', 's') ELSE transcript END AS before
  FROM rows
)

-- A conversation is known by all its turns, a single prompt by itself.
SELECT xxh3_128(CASE WHEN array_length(messages) > 1 THEN before ELSE messages[-1]['content'] END) AS prompt_id,
  messages[-1]['content'] AS prompt, CASE WHEN array_length(messages) > 1 THEN messages END AS messages,
  'en' AS language, 'refuse' AS expected, 'red-team-attempts' AS source,
  CAST(_row AS VARCHAR) AS source_id,
  model_type || ' ' || CAST(num_params AS VARCHAR) AS model,
  CAST(row_number() OVER (PARTITION BY model_type, num_params, before ORDER BY _file_index, _row) AS BIGINT) - 1
    AS sample,
  response,
  CASE WHEN response IS NULL OR response = '' THEN 'empty' ELSE 'answered' END AS outcome,
  model_type, CAST(num_params AS VARCHAR) AS num_params, rating, min_harmlessness_score_transcript,
  task_description, CAST(red_team_member_id AS VARCHAR) AS red_team_member_id, tags AS risk_tags,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN messages[-1]['role'] IS DISTINCT FROM 'user' THEN 'no turn of a person' END AS _reject
FROM cut
ORDER BY _file_index, _row
