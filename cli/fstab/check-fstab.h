/* SPDX-License-Identifier: MIT */
/* "idmount check --fstab": faults in files that mount at boot. */
#ifndef IDM_CLI_FSTAB_CHECK_FSTAB_H
#define IDM_CLI_FSTAB_CHECK_FSTAB_H

#include <stddef.h>

/*
 * Reports each fault as "FILE:LINE: message" on standard error. A name that ends in ".mount" is a unit
 * of systemd, any other one a file as fstab(5). Adds to *lines the number of its lines; a unit is one.
 * Returns DONE without a fault, and FAILED otherwise.
 */
int check_fstab(const char *file, size_t *lines);

#endif
