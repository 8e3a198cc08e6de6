// SPDX-License-Identifier: MIT
/* Each allocation of parsing JSON fails once: that is an error, or the values are all there. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/faults/failing-memory.h"
#include "tests/lib/json-cases.h"
#include "tests/lib/test.h"

static unsigned long survived, errors;

/* Returns whether all allocations have been tried. */
static bool try_once(const struct json_case *c, const struct idm_json_text *undisturbed,
		     unsigned long nth)
{
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole = idm_json_whole(undisturbed), other;
	struct idm_error err;
	int r;

	memory_begin(nth);
	r = idm_json_parse(c->text, c->length, IDM_STEP_READ_PLAN, &t, &err);
	memory->counts = false;
	if (!memory->failed)
		return true;
	/* Each allocation is freed, or belongs to *t. */
	assert_int_equal(memory->live > 0, r == 0);
	survived++;
	if (r < 0) {
		assert_error_at(HERE, c->name, r, -ENOMEM, &err, "", "read plan", NULL);
		assert_null(t);
		errors++;
		return false;
	}
	/* qsort(3) works without. */
	other = idm_json_whole(t);
	assert_same_json(c->name, &whole, &other);
	return false;
}

static void try_case(const struct json_case *c)
{
	AUTO_JSON struct idm_json_text *undisturbed = NULL;

	if (!c->accepted)
		return;
	assert_ok(idm_json_parse(c->text, c->length, IDM_STEP_READ_PLAN, &undisturbed, NULL), NULL);
	for (unsigned long n = 0; !try_once(c, undisturbed, n); n++)
		;
}

TEST(nothing_is_left_out)
{
	void *volatile probe;

	memory_begin(0);
	probe = malloc(1);
	free(probe);
	memory->counts = false;
	if (!memory->failed) {
		note("sanitizers and valgrind have a malloc of their own");
		return;
	}
	json_cases(try_case);
	assert_true(errors > 0);
	proof("faults", survived, "failed allocations survived");
}
