/* SPDX-License-Identifier: MIT */
/* What the readers of mount lists share. */
#ifndef IDM_SPEC_READER_H
#define IDM_SPEC_READER_H

#include <stdlib.h>

#include "json.h"

/* A plan to which a reader adds mounts. */
struct idm_plan_reader {
	struct idm_plan *plan;
	struct idm_plan_read_options how;
	struct idm_error *err;
};

/* The options of a mount, with space for one more. */
struct idm_option_list {
	const char **options;
	size_t n;
};

int idm_read_options(struct idm_option_list *list, const struct idm_json *options,
		     struct idm_error *err);
bool idm_option_list_have(const struct idm_option_list *list, const char *word);
bool idm_option_list_have_map(const struct idm_option_list *list);
bool idm_option_list_make_bind(const struct idm_option_list *list);

static inline void idm_option_list_free(struct idm_option_list *list)
{
	free(list->options);
}

#define AUTO_OPTION_LIST __attribute__((cleanup(idm_option_list_free)))

/* Reads a member that may be missing. Then *string is NULL. */
int idm_read_string(const struct idm_json *object, const char *key, const char **string,
		    struct idm_error *err);

/*
 * Calls idm_plan_add() with these options. If that fails, `name` precedes the message: "mount 2" becomes
 * "mount 2 (overlay on /data)".
 */
int idm_plan_add_named(const struct idm_plan_reader *reader, struct idm_plan_add_options *mount,
		       const struct idm_option_list *list, const char *name);

#endif
