/* SPDX-License-Identifier: MIT */
/* The parts of judge_layer(). */
#ifndef IDM_CLI_EXPLAIN_LAYER_CHECK_H
#define IDM_CLI_EXPLAIN_LAYER_CHECK_H

#include "layer.h"

struct layer_check {
	struct verdict *v;
	const struct layer_file *file;
	struct mounters mounters;
	unsigned int refused; /* 1 << N: to mounter N */
	const char *doubt;    /* of a refusal, after "unless"; NULL: none */
	bool is_judged;
};

/* ---- layer-as-mounter.c ---- */

/* With the mounter's credentials, and without an access. */
struct verdict begin_layer_verdict(const struct mounter *mounter, const struct idm_explain_info *place);

/* 0: the mounter has that access to the place in its layer. */
int find_mounter_errnum(const struct mounter *mounter, const struct idm_explain_info *place,
			enum idm_access access);

/* ---- layer-copy.c ---- */

/* Neither a regular file, nor a directory, nor a symbolic link. */
bool is_special_file(uint32_t mode);

/* may_create(): owner and group of a new file have to exist in the mounter's user namespace, too. */
bool can_create(const struct mounter *mounter, const struct idm_explain_options *facts);
int refuse_creator(struct verdict *v); /* returns 1 */

/* Notes for mounter `i` whether the place can be copied, whose owner in the layer is known. */
void note_copy(struct layer_check *check, size_t i, const struct idm_explain_info *place,
	       const struct idm_explain_result *layer);

/* Returns 1 if the access requires a copy, and that fails or is not certain to succeed. */
int judge_copy(struct layer_check *check, size_t i);

/* Returns 1 if the data of a file of the upper layer, which is in this layer, cannot be copied. */
int judge_data_copy(struct layer_check *check, size_t i, const struct idm_explain_result *layer);

/* Returns 1 if the upper layer cannot store the owner of a new file, or of a changed one. */
int judge_new_owner(struct layer_check *check);

/* Whether the map of the upper layer decides. */
bool requires_upper(const struct layer_check *check);

#endif
