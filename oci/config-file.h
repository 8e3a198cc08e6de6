/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_CONFIG_FILE_H
#define IDM_OCI_CONFIG_FILE_H

#include <sys/stat.h>

#include "idmount.h"

/* A config.json as it was read. */
struct config_file {
	char *text; /* the caller frees it */
	size_t length;
	struct stat st;
};

/* Reads the whole file. Fails with -EFBIG if it is larger than the JSON reader accepts. */
int read_config_file(const char *file, enum idm_error_step step, struct config_file *config,
		     struct idm_error *err);

#endif
