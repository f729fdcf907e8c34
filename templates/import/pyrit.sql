/*
about = "PyRIT's files of human labels: responses with up to four people's scores and their mean"
source = "PyRIT (Microsoft), datasets for the evaluation of scorers; MIT"
needs = ["assistant_response"]

[optional]
objective = "Utf8"
harm_category = "Utf8"
data_type = "Utf8"
human_score = "Utf8"
human_score_1 = "Utf8"
human_score_2 = "Utf8"
human_score_3 = "Utf8"
human_score_4 = "Utf8"

# Files on harms have no prompts. What a score answers (refused? achieved? how grave?) is the file's name.
[example.input]
"objective.csv" = '''
# dataset_version=1.0, what the file is
objective,assistant_response,human_score_1,human_score_2,human_score_3,data_type
Say it.,So it is.,1,1,0,text
Say it.,No.,0,,0,text
Draw it.,picture.png,0,0,0,image_path
Say it.,,0,0,0,text
'''
"harm.csv" = '''
harm_category,assistant_response,human_score,data_type
hate_speech,So it is.,0.25,text
hate_speech,So it was.,,text
'''

[example]
output = '''
{"prompt":"hate_speech","risk_category":"hate_speech","model":"unknown","response":"So it is.","outcome":"answered","human_score":0.25,"raters":1,"source":"pyrit","_warning":"the file has no prompts: the harm stands for one"}
{"prompt":"hate_speech","response":"So it was.","human_score":null,"raters":0}
{"prompt":"Say it.","risk_category":null,"language":"en","model":"unknown","sample":0,"response":"So it is.","outcome":"answered","human_score":0.6666666667,"raters":3,"annotation_1":1.0,"annotation_3":0.0,"source_id":"objective-1"}
{"prompt":"Say it.","sample":1,"response":"No.","human_score":0.0,"raters":2,"annotation_2":null}
{"_reject":"the response is no text: image_path"}
{"prompt":"Say it.","sample":2,"response":null,"outcome":"empty"}
'''
*/
WITH
rows AS (
  SELECT *, coalesce(objective, harm_category) AS prompt,
    regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') AS file,
    CAST(coalesce(nullif(human_score_1, ''), nullif(human_score, '')) AS DOUBLE) AS annotation_1,
    CAST(nullif(human_score_2, '') AS DOUBLE) AS annotation_2,
    CAST(nullif(human_score_3, '') AS DOUBLE) AS annotation_3,
    CAST(nullif(human_score_4, '') AS DOUBLE) AS annotation_4
  FROM input
),

counted AS (
  SELECT *, CASE WHEN annotation_1 IS NULL THEN 0 ELSE 1 END + CASE WHEN annotation_2 IS NULL THEN 0 ELSE 1 END
    + CASE WHEN annotation_3 IS NULL THEN 0 ELSE 1 END + CASE WHEN annotation_4 IS NULL THEN 0 ELSE 1 END AS raters
  FROM rows
)

-- As labels for calibration, where a high score is the unsafe side:
-- --sql "SELECT *, CASE WHEN human_score >= 0.5 THEN 'unsafe' ELSE 'safe' END AS label FROM input"
SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language, harm_category AS risk_category,
  'pyrit' AS source, file || '-' || CAST(_row AS VARCHAR) AS source_id,
  'unknown' AS model,
  CAST(row_number() OVER (PARTITION BY prompt ORDER BY _file_index, _row) AS BIGINT) - 1 AS sample,
  nullif(assistant_response, '') AS response,
  CASE WHEN assistant_response IS NULL OR trim(assistant_response) = '' THEN 'empty' ELSE 'answered' END AS outcome,
  (coalesce(annotation_1, 0) + coalesce(annotation_2, 0) + coalesce(annotation_3, 0) + coalesce(annotation_4, 0))
    / nullif(raters, 0) AS human_score,
  raters, annotation_1, annotation_2, annotation_3, annotation_4,
  CASE WHEN objective IS NULL THEN 'the file has no prompts: the harm stands for one' END AS _warning,
  CASE WHEN data_type <> 'text' THEN 'the response is no text: ' || data_type
    WHEN prompt IS NULL THEN 'neither objective nor harm_category' END AS _reject
FROM counted
ORDER BY _file_index, _row
