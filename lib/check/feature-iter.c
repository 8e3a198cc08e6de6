// SPDX-License-Identifier: MIT
/* The features without a callback. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idmount.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/items.h"
#include "lib/sys/fail-errno.h"

struct idm_feature_iter {
	struct idm_items features;
};

static void free_feature(void *copy)
{
	struct idm_feature_info *feature = copy;

	free((char *)feature->hint);
	free(feature);
}

/* All strings but the hint are static. */
static struct idm_feature_info *copy_feature(const struct idm_feature_info *feature)
{
	struct idm_feature_info *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *feature;
	copy->hint = feature->hint ? strdup(feature->hint) : NULL;
	if (!copy->hint == !feature->hint)
		return copy;
	free(copy);
	return NULL;
}

static int add_feature_copy(const struct idm_feature_info *feature, void *data)
{
	struct idm_feature_iter *iter = data;

	return idm_items_add(&iter->features, copy_feature(feature), free_feature);
}

int idm_feature_iter_new(unsigned int flags, struct idm_feature_iter **iter, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_feature_iter *made = calloc(1, sizeof(*made));
	int r = made ? idm_features(flags, add_feature_copy, made, err) : IDM_ITEMS_FULL;

	if (r == IDM_ITEMS_FULL)
		r = idm_fail_errno(err, -ENOMEM, IDM_STEP_LIST_FEATURES, NULL);
	if (r == 0)
		*iter = made;
	else
		idm_feature_iter_free(made);
	return r;
}

const struct idm_feature_info *idm_feature_iter_next(struct idm_feature_iter *iter)
{
	return idm_items_next(&iter->features);
}

void idm_feature_iter_free(struct idm_feature_iter *iter)
{
	HOLD_CANCEL;

	if (iter)
		idm_items_free(&iter->features, free_feature);
	free(iter);
}
