/*
about = "S-Eval, any mix of its base and attack files; attack rows get their base prompt"
source = "S-Eval (Yuan et al., ISSTA 2025, doi 10.1145/3728971); data CC BY-NC-SA 4.0: your own copy"
needs = ["traceid", "risk_type", "prompt", "ext"]

# Two base prompts, the Chinese ones in another order; attack rows follow the English order.
[example.input]
"1-base-zh.jsonl" = '''
{"traceid":"8180d569988131c781e004ae42267249","risk_type":"Hate_Speech","prompt":"树叶为什么变红？","ext":"{\"model\":\"base_risk\"}"}
{"traceid":"72188788dfcee8e7414b617a42d508be","risk_type":"Data_Privacy","prompt":"面包怎么烤？","ext":"{\"model\":\"base_risk\"}"}
'''
"2-base-en.jsonl" = '''
{"traceid":"571acbfe9c252069def54c3d845e3f14","risk_type":"Data_Privacy","prompt":"How is bread baked?","ext":"{\"model\":\"base_risk\",\"from_traceid\":\"72188788dfcee8e7414b617a42d508be\"}"}
{"traceid":"34fbcc951427b750cf37cd773800f7b0","risk_type":"Hate_Speech","prompt":"Why do leaves turn red?","ext":"{\"model\":\"base_risk\",\"from_traceid\":\"8180d569988131c781e004ae42267249\"}"}
'''
"3-attack-zh.jsonl" = '''
{"traceid":"785cfc60adb29a05832ddf8b8eb1eb50","risk_type":"Data_Privacy","prompt":"（1）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"positive_induction\"}"}
{"traceid":"438a1413275406576265552c62fb2e65","risk_type":"Hate_Speech","prompt":"（1）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"positive_induction\"}"}
{"traceid":"5fd99e754ecc8734ded093606fba770f","risk_type":"Data_Privacy","prompt":"（2）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"reverse_induction\"}"}
{"traceid":"dd85fabd2f09daa921e0b713c53cda12","risk_type":"Hate_Speech","prompt":"（2）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"reverse_induction\"}"}
{"traceid":"a6fc0dc2ee48068b62d374ecc530e5cb","risk_type":"Data_Privacy","prompt":"（3）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"code_injection\"}"}
{"traceid":"8298ace0cc19d49cea2375903b25604f","risk_type":"Hate_Speech","prompt":"（3）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"code_injection\"}"}
{"traceid":"9ed3b57b4fe397d37b6eb6c913054bb4","risk_type":"Data_Privacy","prompt":"（4）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"instruction_jailbreak\"}"}
{"traceid":"0a489899fb8b55b5a23bee6bee9b4d4f","risk_type":"Hate_Speech","prompt":"（4）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"instruction_jailbreak\"}"}
{"traceid":"1d29c4c7eabb114d6abacb5c016e087a","risk_type":"Data_Privacy","prompt":"（5）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"goal_hijacking\"}"}
{"traceid":"0306dd40647a557863e8ed7d9b899973","risk_type":"Hate_Speech","prompt":"（5）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"goal_hijacking\"}"}
{"traceid":"1d42f54e2c44e840d86cf5a618590aa4","risk_type":"Data_Privacy","prompt":"（6）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"instruction_encryption\"}"}
{"traceid":"2a0e36d1cd6f87929e719dec751d3789","risk_type":"Hate_Speech","prompt":"（6）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"instruction_encryption\"}"}
{"traceid":"a63a902a10fed157cb0e5c165d5438d9","risk_type":"Data_Privacy","prompt":"（7）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"deepinception\"}"}
{"traceid":"fd6e9ba7e0d28b208c72c3dfa7a8ea5f","risk_type":"Hate_Speech","prompt":"（7）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"deepinception\"}"}
{"traceid":"19d64926e694a3024d08fff27f3f85ee","risk_type":"Data_Privacy","prompt":"（8）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"in_context_attack\"}"}
{"traceid":"cac802c62f500220288b2cf29e7fcfe1","risk_type":"Hate_Speech","prompt":"（8）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"in_context_attack\"}"}
{"traceid":"6e31e24c4e396ca30ba1d8194394d310","risk_type":"Data_Privacy","prompt":"（9）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"chain_of_utterances\"}"}
{"traceid":"8d1ab4dde5cd4302ffe5ab0db1135b59","risk_type":"Hate_Speech","prompt":"（9）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"chain_of_utterances\"}"}
{"traceid":"1af0eb705f368048cfb4058dbdc08e2a","risk_type":"Data_Privacy","prompt":"（10）面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"compositional_instructions\"}"}
{"traceid":"cd2d400241b04b46a690d34dc603b584","risk_type":"Hate_Speech","prompt":"（10）树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"compositional_instructions\"}"}
'''
"4-attack-en.jsonl" = '''
{"traceid":"21c13c1d824c652984466a4d827cea6c","risk_type":"Data_Privacy","prompt":"(1) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"positive_induction\"}"}
{"traceid":"00000000000000000000000000000000","risk_type":"Hate_Speech","prompt":"(1) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"positive_induction\"}"}
{"traceid":"2ff19c6fb88a86e3df5c1439e6a03cf6","risk_type":"Data_Privacy","prompt":"(2) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"reverse_induction\"}"}
{"traceid":"ab8ee4051e307c9ff76a4c9696103baa","risk_type":"Hate_Speech","prompt":"(2) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"reverse_induction\"}"}
{"traceid":"b90f12afc852d95b3242590a8a17ef14","risk_type":"Data_Privacy","prompt":"(3) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"code_injection\"}"}
{"traceid":"4ba4b513209bf4bcba381207c7f5694c","risk_type":"Hate_Speech","prompt":"(3) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"code_injection\"}"}
{"traceid":"f0fcaebe7e3f35ad002cee5078c6b0cd","risk_type":"Data_Privacy","prompt":"(4) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"instruction_jailbreak\"}"}
{"traceid":"8330eb2591cae36be1ccbf010615b4c1","risk_type":"Hate_Speech","prompt":"(4) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"instruction_jailbreak\"}"}
{"traceid":"c31dfc579b938c27d5fc8b0e9ab9e3ee","risk_type":"Data_Privacy","prompt":"(5) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"goal_hijacking\"}"}
{"traceid":"26d30ab47ee3c34ef2296c1fc7c2c454","risk_type":"Hate_Speech","prompt":"(5) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"goal_hijacking\"}"}
{"traceid":"abeb54faf3f1703d2570154b89035ba9","risk_type":"Data_Privacy","prompt":"(6) 面包怎么烤？","ext":"{\"model\":\"attack\",\"category\":\"instruction_encryption\"}"}
{"traceid":"3947a26dda2930a08e490e3175e3981e","risk_type":"Hate_Speech","prompt":"(6) 树叶为什么变红？","ext":"{\"model\":\"attack\",\"category\":\"instruction_encryption\"}"}
{"traceid":"83973e94cb7d4d3223642de13051fa6f","risk_type":"Data_Privacy","prompt":"(7) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"deepinception\"}"}
{"traceid":"199c0a25e997ae766d88b026f476a4b5","risk_type":"Hate_Speech","prompt":"(7) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"deepinception\"}"}
{"traceid":"68ae50360f445407e0bf7640fc592892","risk_type":"Data_Privacy","prompt":"(8) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"in_context_attack\"}"}
{"traceid":"c7d677ba7108669eae2fa3377d06db80","risk_type":"Hate_Speech","prompt":"(8) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"in_context_attack\"}"}
{"traceid":"1cf16e23a263c5c8afed77dea203db7b","risk_type":"Data_Privacy","prompt":"(9) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"chain_of_utterances\"}"}
{"traceid":"76a7ec3936164047c4a1b2df82d5c34d","risk_type":"Hate_Speech","prompt":"(9) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"chain_of_utterances\"}"}
{"traceid":"ac45b37b45a05b00b2fd2cf7c5900863","risk_type":"Data_Privacy","prompt":"(10) How is bread baked?","ext":"{\"model\":\"attack\",\"category\":\"compositional_instructions\"}"}
{"traceid":"8ca8121b667204cb7fe7da5116ac9be5","risk_type":"Data_Privacy","prompt":"(10) Why do leaves turn red?","ext":"{\"model\":\"attack\",\"category\":\"compositional_instructions\"}"}
'''

[example]
output = '''
{"prompt_id":"a0237f302b8d289024418bc4bf554116","language":"zh","risk_dimension":"Hate Speech","attack":null,"base_id":null,"pair_id":"8180d569988131c781e004ae42267249","source":"s-eval","source_id":"8180d569988131c781e004ae42267249","expected":"refuse","_warning":null,"_reject":null}
{"prompt_id":"54d5327693a204830e418fc31a3ba396","language":"zh","risk_dimension":"Data Privacy","attack":null,"base_id":null,"pair_id":"72188788dfcee8e7414b617a42d508be","source":"s-eval","source_id":"72188788dfcee8e7414b617a42d508be","expected":"refuse","_warning":null,"_reject":null}
{"prompt_id":"cf103144778e0568830ad5b92e1c72da","language":"en","risk_dimension":"Data Privacy","attack":null,"base_id":null,"pair_id":"72188788dfcee8e7414b617a42d508be","source":"s-eval","source_id":"571acbfe9c252069def54c3d845e3f14","expected":"refuse","_warning":null,"_reject":null}
{"prompt_id":"c16f710ff6784e3af6887134ab5b32c9","language":"en","risk_dimension":"Hate Speech","attack":null,"base_id":null,"pair_id":"8180d569988131c781e004ae42267249","source":"s-eval","source_id":"34fbcc951427b750cf37cd773800f7b0","expected":"refuse","_warning":null,"_reject":null}
{"language":"zh","risk_dimension":"Data Privacy","attack":"positive_induction","base_id":"54d5327693a204830e418fc31a3ba396","pair_id":"10a75205b08762f6a23d90114acdd080","_warning":null}
{"language":"zh","risk_dimension":"Hate Speech","attack":"positive_induction","base_id":"a0237f302b8d289024418bc4bf554116","pair_id":"01073180f66f0f89352ee0201011045f","_warning":null}
{"attack":"reverse_induction","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"reverse_induction","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"code_injection","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"code_injection","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"instruction_jailbreak","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"instruction_jailbreak","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"goal_hijacking","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"goal_hijacking","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"instruction_encryption","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"instruction_encryption","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"deepinception","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"deepinception","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"in_context_attack","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"in_context_attack","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"chain_of_utterances","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"chain_of_utterances","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"attack":"compositional_instructions","base_id":"54d5327693a204830e418fc31a3ba396","_warning":null}
{"attack":"compositional_instructions","base_id":"a0237f302b8d289024418bc4bf554116","_warning":null}
{"language":"en","risk_dimension":"Data Privacy","attack":"positive_induction","base_id":"cf103144778e0568830ad5b92e1c72da","pair_id":"10a75205b08762f6a23d90114acdd080","_warning":null}
{"language":"en","risk_dimension":"Hate Speech","attack":"positive_induction","base_id":"c16f710ff6784e3af6887134ab5b32c9","pair_id":"01073180f66f0f89352ee0201011045f","_warning":"traceid is not the md5 of the prompt"}
{"attack":"reverse_induction","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"reverse_induction","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"code_injection","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"code_injection","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"instruction_jailbreak","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"instruction_jailbreak","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"goal_hijacking","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"goal_hijacking","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"instruction_encryption","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"instruction_encryption","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"deepinception","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"deepinception","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"in_context_attack","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"in_context_attack","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"chain_of_utterances","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"chain_of_utterances","base_id":"c16f710ff6784e3af6887134ab5b32c9","_warning":null}
{"attack":"compositional_instructions","base_id":"cf103144778e0568830ad5b92e1c72da","_warning":null}
{"attack":"compositional_instructions","base_id":null,"_warning":"no base prompt at this position: base_id is empty"}
'''
*/
WITH
-- Every row, with the attack that made it (none: a base prompt) and the Chinese row it translates.
items AS (
  SELECT _file_index, _row, traceid, prompt,
    xxh3_128(prompt) AS prompt_id,
    replace(risk_type, '_', ' ') AS risk_dimension,
    json_text(ext, 'category') AS attack,
    json_text(ext, 'from_traceid') AS from_traceid
  FROM input
),

-- A file is in one language. Single rows don't tell: English attacks may carry an encoded Chinese
-- prompt, Chinese ones may be all code.
files AS (
  SELECT _file_index, count(*) AS n, count(attack) AS attacks,
    CASE WHEN 2 * count(*) FILTER (WHERE regexp_like(prompt, '\p{Han}')) > count(*)
      THEN 'zh' ELSE 'en' END AS language
  FROM items
  GROUP BY _file_index
),

-- English base rows by position, Chinese ones by identity: attacks are in the order of the former.
base_en AS (
  SELECT _file_index, n, _row, prompt_id, risk_dimension, coalesce(from_traceid, traceid) AS pair_id
  FROM items JOIN files USING (_file_index)
  WHERE attacks = 0 AND language = 'en'
),
base_zh AS (
  SELECT coalesce(from_traceid, traceid) AS pair_id, risk_dimension, min(prompt_id) AS prompt_id
  FROM items JOIN files USING (_file_index)
  WHERE attacks = 0 AND language = 'zh'
  GROUP BY 1, 2
),

-- An attack file is ten blocks, one an attack, each in the order of the English base file.
attack_rows AS (
  SELECT _file_index, _row, language, attack, risk_dimension,
    n / 10 AS block_size,
    (_row - 1) / nullif(n / 10, 0) AS block,
    (_row - 1) % nullif(n / 10, 0) + 1 AS base_row
  FROM items JOIN files USING (_file_index)
  WHERE attacks = n AND n % 10 = 0
),
blocks AS (
  SELECT _file_index, block
  FROM attack_rows
  GROUP BY _file_index, block
  HAVING min(attack) = max(attack)
),
aligned AS (
  SELECT a._file_index, a._row, a.language, a.risk_dimension,
    b._file_index AS base_file, b.prompt_id, b.pair_id
  FROM attack_rows a
  JOIN blocks USING (_file_index, block)
  JOIN base_en b
    ON b.n = a.block_size AND b._row = a.base_row AND b.risk_dimension = a.risk_dimension
),
-- Several base files may have the right number of rows: the one that agrees in most risks is meant.
base_files AS (
  SELECT _file_index, base_file,
    row_number() OVER (PARTITION BY _file_index ORDER BY count(*) DESC, base_file) AS choice
  FROM aligned
  GROUP BY _file_index, base_file
),
links AS (
  SELECT a._file_index, a._row, a.pair_id,
    CASE a.language WHEN 'en' THEN a.prompt_id ELSE zh.prompt_id END AS base_id
  FROM aligned a
  JOIN base_files f
    ON f._file_index = a._file_index AND f.base_file = a.base_file AND f.choice = 1
  LEFT JOIN base_zh zh
    ON zh.pair_id = a.pair_id AND zh.risk_dimension = a.risk_dimension
)

SELECT i.prompt_id, i.prompt, f.language, i.risk_dimension, i.attack, l.base_id,
  CASE
    WHEN i.attack IS NULL THEN coalesce(i.from_traceid, i.traceid)
    WHEN l.base_id IS NOT NULL THEN xxh3_128(i.attack || ':' || l.pair_id)
  END AS pair_id,
  's-eval' AS source,
  i.traceid AS source_id,
  'refuse' AS expected,
  nullif(concat_ws('; ',
    CASE WHEN i.traceid IS DISTINCT FROM md5(i.prompt)
      THEN 'traceid is not the md5 of the prompt' END,
    CASE WHEN i.attack IS NOT NULL AND l.base_id IS NULL
      THEN 'no base prompt at this position: base_id is empty' END), '') AS _warning,
  CASE
    WHEN i.prompt IS NULL OR trim(i.prompt) = '' THEN 'prompt is empty'
    WHEN i.risk_dimension IS NULL THEN 'risk_type is missing'
  END AS _reject
FROM items i
JOIN files f USING (_file_index)
LEFT JOIN links l ON l._file_index = i._file_index AND l._row = i._row
ORDER BY i._file_index, i._row
