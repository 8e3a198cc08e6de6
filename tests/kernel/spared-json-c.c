// SPDX-License-Identifier: MIT
#include "spared-json-c.h"

#include "failing-memory.h"
#include "lib/json.h"
#include "test.h"

int __real_idm_json_parse(const char *text, size_t length, enum idm_error_step step,
			  struct idm_json_text **parsed, struct idm_error *err);
int __wrap_idm_json_parse(const char *text, size_t length, enum idm_error_step step,
			  struct idm_json_text **parsed, struct idm_error *err);

int __wrap_idm_json_parse(const char *text, size_t length, enum idm_error_step step,
			  struct idm_json_text **parsed, struct idm_error *err)
{
	int r;

	memory->spares = true;
	r = __real_idm_json_parse(text, length, step, parsed, err);
	memory->spares = false;
	return r;
}

void load_json_c(void)
{
	struct idm_json_text *text;
	struct idm_error err;

	assert_ok(idm_json_parse("{}", 2, IDM_STEP_READ_PLAN, &text, &err), &err);
	idm_json_free(text);
}
