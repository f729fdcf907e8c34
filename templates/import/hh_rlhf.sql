/*
about = "hh-rlhf transcripts, chosen and rejected, as conversations: the turns before the last reply, and that reply"
source = "Bai et al. 2022; Ganguli et al. 2022; data MIT"
needs = ["chosen", "rejected"]

[example.input]
"test.jsonl" = '''
{"chosen":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How?\n\nAssistant: I won't say.","rejected":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How?\n\nAssistant: Like this."}
{"chosen":"\n\nHuman: Why?\n\nAssistant: So.","rejected":"\n\nHuman: Why?\n\nAssistant: Because."}
'''

[example]
output = '''
{"prompt":"How?","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"How?"}],"model":"chosen","sample":0,"response":"I won't say."}
{"prompt":"How?","model":"rejected","response":"Like this."}
{"prompt":"Why?","messages":null,"model":"chosen","response":"So."}
{"prompt":"Why?","model":"rejected","response":"Because."}
'''
*/
WITH
sides AS (
  SELECT _file_index, _row, side, CASE side WHEN 'chosen' THEN chosen ELSE rejected END AS transcript
  FROM (SELECT *, unnest(['chosen', 'rejected']) AS side FROM input)
),

spoken AS (
  SELECT *, turns(transcript, 'Human', 'Assistant') AS turns,
    regexp_replace(transcript, '^(.*)\n\nAssistant:.*$', '\1', 's') AS before
  FROM sides
),

-- The last reply is the response; what stands before it is the conversation.
cut AS (
  SELECT *, turns[-1]['role'] AS last_role, turns[-1]['content'] AS response,
    turns[-2]['content'] AS prompt, turns[-2]['role'] AS prompt_role,
    array_slice(turns, 1, -2) AS messages
  FROM spoken
)

-- A conversation is known by all its turns, a single prompt by itself.
SELECT xxh3_128(CASE WHEN array_length(messages) > 1 THEN before ELSE prompt END)
    AS prompt_id,
  prompt, CASE WHEN array_length(messages) > 1 THEN messages END AS messages, 'en' AS language,
  'hh-rlhf' AS source, CAST(_row AS VARCHAR) AS source_id,
  side AS model,
  -- The same turns come with several replies.
  CAST(row_number() OVER (PARTITION BY side, before ORDER BY _file_index, _row) AS BIGINT) - 1 AS sample,
  response, CASE WHEN response = '' THEN 'empty' ELSE 'answered' END AS outcome,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL THEN 'there are no two turns'
    WHEN last_role <> 'assistant' OR prompt_role <> 'user' THEN 'it does not end with a reply to a person'
  END AS _reject
FROM cut
ORDER BY _file_index, _row, side
