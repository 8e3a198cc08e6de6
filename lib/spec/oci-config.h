/* SPDX-License-Identifier: MIT */
/* The configuration of an OCI bundle as it is being read: oci-config.c alone, or oci/bundle-read.c with
 * it. */
#ifndef IDM_SPEC_OCI_CONFIG_H
#define IDM_SPEC_OCI_CONFIG_H

#include "reader.h"

struct idm_oci_config;

/* What a reader does that wants some of the mounts only. */
struct idm_oci_selection {
	/* Called before the first mount, of n. */
	int (*begin)(struct idm_oci_config *oci, const struct idm_json *whole, size_t n);
	/* 1: the mount belongs to the plan, as far as m says. 0: it does not. Or a negative errno. */
	int (*select)(struct idm_oci_config *oci, const struct idm_json *mount,
		      struct idm_option_list *words, struct idm_plan_add_options *m,
		      struct idm_map **own);
	/* The map of the user namespace that the container joins. It stays empty where it is not known.
	 */
	int (*joined_map)(struct idm_oci_config *oci, struct idm_map *map);
};

/* The configuration, and what its mounts can fall back on. */
struct idm_oci_config {
	const struct idm_plan_reader *reader;
	const struct idm_oci_selection *selection; /* NULL: all mounts are wanted */
	struct idm_map *map;   /* linux.uidMappings and linux.gidMappings; NULL: none */
	bool user_namespace;   /* the container has one of its own */
	const char *namespace; /* the file of one that it joins; NULL: none */
};

int idm_oci_read_whole(struct idm_oci_config *oci, const struct idm_json *whole);

/*
 * The map of a mount, by its rows and words, in m->map; *own is what has to be freed of it. The second
 * is for idmap or ridmap without rows, which ask for the container's map.
 */
int idm_oci_find_map(struct idm_oci_config *oci, const struct idm_json *mount,
		     struct idm_option_list *words, struct idm_plan_add_options *m,
		     struct idm_map **own);
int idm_oci_find_container_map(struct idm_oci_config *oci, const struct idm_json *mount,
			       const char *word, struct idm_plan_add_options *m);

#endif
