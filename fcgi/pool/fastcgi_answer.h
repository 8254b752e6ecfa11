/* fastcgi_answer.h - an answer as FastCGI records, written with as few system calls as the socket
 * allows: one for nearly every answer. libfcgi would send it in pieces of 8 KiB, and a worker
 * killed between two of them leaves half an answer that nginx cannot repeat. Source: FastCGI
 * Specification 1.0, sections 3.3 and 5. */
#ifndef FCGI_POOL_FASTCGI_ANSWER_H
#define FCGI_POOL_FASTCGI_ANSWER_H

#include "common/base/buf.h"

/* Writes head and body as the standard output of the request, then its end. False when the peer is
 * gone or takes nothing for as long as the socket's send timeout. */
bool fastcgi_answer_write(int fd, int request_id, struct slice head, struct slice body) MUST_USE;

#endif
