/* SPDX-License-Identifier: MIT */
/* One entry of a map's text: its fields, numbers and names. They are the same in all dialects. */
#ifndef IDM_IDMAP_IDMAP_ENTRY_H
#define IDM_IDMAP_IDMAP_ENTRY_H

#include "idmount.h"
#include "slice.h"

struct idm_entry_list {
	struct idm_entry *entries;
	size_t n;
};

struct idm_map_parser {
	struct idm_entry_list uid, gid;
	struct idm_error *err;
	struct idm_slice entry; /* the one being read, for messages */
	bool lookup;
	const struct idm_ids *owner;	 /* of the source; NULL: it is not known */
	const struct idm_map *container; /* NULL: no container exists */
	bool relative;			 /* the second column counts in the container */
};

/* Fails with `code`. The error names the entry that is read. Returns `code`. */
int idm_refuse_entry(struct idm_map_parser *ps, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Fails because the field is no number of 32 bits. Returns -EINVAL. */
int idm_refuse_number(struct idm_map_parser *ps, struct idm_slice field);

/* Appends the entry to the lists of these kinds. */
int idm_append_entry(struct idm_map_parser *ps, unsigned int kinds, struct idm_entry entry);

/* [KIND:]DISK:SEEN[:COUNT] */
int idm_parse_entry(struct idm_map_parser *ps, struct idm_slice entry);

/* An entry of a dialect that has numbers only, always three of them. */
int idm_parse_triple(struct idm_map_parser *ps, struct idm_slice entry, unsigned int kinds,
		     const char *separator);

#endif
