/* SPDX-License-Identifier: MIT */
/* The configuration of an OCI bundle while it is read. oci-config.c reads it, alone or with
 * oci/bundle-read.c. */
#ifndef IDM_SPEC_OCI_CONFIG_H
#define IDM_SPEC_OCI_CONFIG_H

#include "reader.h"

struct idm_oci_config;

/* The functions of a reader that selects some of the mounts. */
struct idm_oci_selection {
	/* The first call, before the first of n mounts. */
	int (*begin)(struct idm_oci_config *oci, const struct idm_json *whole, size_t n);
	/* Returns 1 if the mount belongs to the plan, as m describes it, 0 if not, or -errno. */
	int (*select)(struct idm_oci_config *oci, const struct idm_json *mount,
		      struct idm_option_list *list, struct idm_plan_add_options *m,
		      struct idm_map **own);
	/*
	 * Finds the map of the user namespace that the container joins, or shares with the runtime. An
	 * unknown map stays empty, as does that of the initial namespace.
	 */
	int (*joined_map)(struct idm_oci_config *oci, struct idm_map *map);
};

/* The configuration, and the defaults of its mounts. */
struct idm_oci_config {
	const struct idm_plan_reader *reader;
	const struct idm_oci_selection *selection; /* NULL: all mounts are wanted */
	struct idm_map *map;   /* linux.uidMappings and linux.gidMappings; NULL: none */
	bool user_namespace;   /* the container has its own */
	const char *namespace; /* the file of one that it joins; NULL: none */
	bool joined;	       /* the map is not from linux.uidMappings, but from joined_map() */
	struct idm_map *equal; /* maps each ID to itself; NULL: not needed so far */
};

int idm_oci_read_whole(struct idm_oci_config *oci, const struct idm_json *whole);

/*
 * The first finds the map of a mount by its mappings and mount options, and sets m->map. The caller
 * frees *own. The second finds the container's map, which idmap and ridmap without mappings request.
 * `at` is the mount, or the annotation that does so.
 */
int idm_oci_find_map(struct idm_oci_config *oci, const struct idm_json *mount,
		     struct idm_option_list *list, struct idm_plan_add_options *m, struct idm_map **own);
int idm_oci_find_container_map(struct idm_oci_config *oci, const struct idm_json *at, const char *word,
			       struct idm_plan_add_options *m);

/* Returns whether IDs of a map count in the container's user namespace: "uids=@1000-0-1". */
bool idm_oci_is_relative(const char *map);

/* Finds the map that these IDs need. A container without a user namespace has the runtime's IDs. */
int idm_oci_find_relative_base(struct idm_oci_config *oci, const struct idm_map **base);

#endif
