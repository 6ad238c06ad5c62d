// `hearth serve`: Ollama's and OpenAI's APIs over the models of a folder.
//
// Requests come in on listen/'s thread, are checked and turned into jobs of sched/; replies are
// written from the models' threads as tokens come. Clients of Ollama and of OpenAI find the routes,
// fields, defaults, status codes and error texts that they know.
#ifndef HEARTH_SERVER_SERVER_H
#define HEARTH_SERVER_SERVER_H

#include "listen/listen.h"
#include "sched/sched.h"

typedef struct server server;
typedef struct server_options {
    listen_options listen;  // accept, request and ctx are the server's
    sched_options sched;
    const char *models;     // folder of GGUF files and Hugging Face folders; NULL: none
    const char *model;      // a model of its own path, listed beside those; NULL: none
    const char *origins;    // further web origins that may ask, separated by commas; "*": all
    const char *api_keys;   // separated by commas, one of which a request must have; NULL: none.
                            // Needed where other machines can reach the server
    bool logs_requests;     // a line per request to sched.log; never what was said
} server_options;
void server_options_default(server_options *o);
// Strings of the options outlive the server.
hearth_status server_open(const server_options *o, server **out, hearth_err *err);
int server_port(const server *s);
void server_close(server *s); // ends all requests; NULL is legal

#endif
