// SPDX-License-Identifier: MIT
/* The places of idm_explain_path() without a callback. */
#include <errno.h>
#include <stdlib.h>

#include "idmount.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/items.h"
#include "lib/sys/fail-errno.h"
#include "place-copy.h"

struct idm_explain_iter {
	struct idm_items places;
	int failed; /* -errno of a copy */
};

/* Not 0 ends the walk. The library has then described no error. */
static int add_place_copy(const struct idm_explain_info *place, void *data)
{
	struct idm_explain_iter *iter = data;
	struct idm_explain_info *copy = NULL;

	iter->failed = idm_copy_place(place, &copy);
	if (iter->failed == 0 && idm_items_add(&iter->places, copy, idm_free_place) != 0)
		iter->failed = -ENOMEM;
	return iter->failed < 0;
}

int idm_explain_iter_new(pid_t pid, const char *path, unsigned int flags, struct idm_explain_iter **iter,
			 struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_explain_iter *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_EXPLAIN, NULL);
	r = idm_explain_path(pid, path, flags, add_place_copy, made, err);
	if (made->failed < 0)
		r = idm_fail_errno(err, made->failed, IDM_STEP_EXPLAIN, path);
	if (r == 0)
		*iter = made;
	else
		idm_explain_iter_free(made);
	return r;
}

const struct idm_explain_info *idm_explain_iter_next(struct idm_explain_iter *iter)
{
	return idm_items_next(&iter->places);
}

void idm_explain_iter_free(struct idm_explain_iter *iter)
{
	HOLD_CANCEL;

	if (iter)
		idm_items_free(&iter->places, idm_free_place);
	free(iter);
}
