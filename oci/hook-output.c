// SPDX-License-Identifier: MIT
#include "hook-output.h"

#include <string.h>

#include "lib/base/macros.h"
#include "lib/spec/json.h"

bool is_output_of_runtime(const char *file)
{
	static const char *const files[] = { "/dev/null", "/dev/stdout", "/dev/stderr" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (strcmp(file, files[i]) == 0)
			return true;
	return false;
}

/* Letters can be escaped there: "\u0072un". No other text has the key. */
static bool may_have_key(const char *text, size_t length, const char *key)
{
	return memmem(text, length, key, strlen(key)) || memmem(text, length, "\\u00", 4);
}

bool is_output_redirected(const char *text, size_t length, const char *key)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole, annotations, file;
	const char *name;

	if (!may_have_key(text, length, key))
		return false;
	if (idm_json_parse(text, length, IDM_STEP_READ_PLAN, &parsed, NULL) < 0)
		return true;
	whole = idm_json_whole(parsed);
	if (idm_json_type(&whole) != IDM_JSON_OBJECT ||
	    !idm_json_member(&whole, "annotations", &annotations) ||
	    idm_json_type(&annotations) != IDM_JSON_OBJECT || !idm_json_member(&annotations, key, &file))
		return false;
	return idm_json_string(&file, &name, NULL) < 0 || !is_output_of_runtime(name);
}
