// SPDX-License-Identifier: MIT
/* Lists of mounts that other programs wrote. This file finds the kind of list. */
#include "lib/base/arguments.h"
#include "lib/base/escape.h"
#include "read.h"

#include <errno.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* The specification requires both in an OCI configuration. A list of mounts has neither. */
static bool looks_like_oci(const struct idm_json *whole)
{
	struct idm_json member;

	return idm_json_member(whole, "ociVersion", &member) || idm_json_member(whole, "root", &member);
}

static int read_any(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	enum idm_json_type type = idm_json_type(whole);

	if (type == IDM_JSON_OBJECT && looks_like_oci(whole))
		return idm_plan_read_oci(reader, whole);
	if (type == IDM_JSON_OBJECT || type == IDM_JSON_ARRAY)
		return idm_plan_read_containerd(reader, whole);
	return idm_json_fail_expected(whole, "a list of mounts or an OCI configuration", reader->err);
}

static int read_plan_text(const struct idm_plan_reader *reader, const char *text, size_t length)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole;
	int r = idm_json_parse(text, length, step_read, &parsed, reader->err);

	if (r < 0)
		return r;
	whole = idm_json_whole(parsed);
	switch (reader->how.format) {
	case IDM_PLAN_READ_CONTAINERD:
		return idm_plan_read_containerd(reader, &whole);
	case IDM_PLAN_READ_OCI:
		return idm_plan_read_oci(reader, &whole);
	case IDM_PLAN_READ_ANY:
		return read_any(reader, &whole);
	}
	return idm_fail(reader->err, -EINVAL, step_read, NULL, "unknown format %u", reader->how.format);
}

int idm_plan_read(struct idm_plan *plan, const char *text, size_t length,
		  const struct idm_plan_read_options *how, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_plan_reader reader = { plan, IDM_PLAN_READ_OPTIONS_INIT, err };
	size_t before = plan->n;
	int r = IDM_COPY_STRUCT(&reader.how, map, how, step_read, err);

	if (r == 0)
		r = idm_check_array(text, length, "text", "bytes", step_read, err);
	if (r < 0)
		return r;
	r = read_plan_text(&reader, text, length);
	if (r < 0)
		idm_plan_truncate(plan, before);
	return r;
}
