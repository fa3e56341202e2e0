/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/scripted_server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/cmocka_all.h"

#define ANSWER_BYTES_MAX  (256u * 1024u)
#define REQUEST_BYTES_MAX 16384u
#define PATIENCE_S        10

struct scripted_server {
    pthread_t thread;
    int listener;
    int stop_fd;
    unsigned port;
    SSL_CTX *tls;
    scripted_answer_fn *answer;
    void *ctx;
};

/* --- the certificate ----------------------------------------------------------------------------- */

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void use_new_certificate(SSL_CTX *tls, const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, "DNS:localhost");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* --- one connection ------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t out_bytes, const char *from, size_t len)
{
    len = len < out_bytes ? len : out_bytes - 1;
    memcpy(out, from, len);
    out[len] = '\0';
}

static const char *header_of(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found == NULL ? "" : found + strlen(name);
}

/* Reads until the head and as much body as it announces are there. */
static bool read_request(SSL *ssl, struct scripted_request *request)
{
    static char text[REQUEST_BYTES_MAX];
    size_t len = 0;
    for (;;) {
        size_t got = 0;
        if (len + 1 >= sizeof text ||
            SSL_read_ex(ssl, text + len, sizeof text - 1 - len, &got) != 1) {
            return false;
        }
        len += got;
        text[len] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        if (body == NULL) {
            continue;
        }
        body += 4;
        if (strlen(body) >= strtoul(header_of(text, "\r\nContent-Length: "), NULL, 10)) {
            const char *authorization = header_of(text, "\r\nAuthorization: ");
            copy_text(request->line, sizeof request->line, text, strcspn(text, "\r"));
            copy_text(request->authorization, sizeof request->authorization, authorization,
                      strcspn(authorization, "\r"));
            copy_text(request->body, sizeof request->body, body, strlen(body));
            return true;
        }
    }
}

/* Until the client hangs up or the server is stopped. */
static void stay_silent(const struct scripted_server *server, int fd)
{
    struct pollfd fds[] = {{.fd = server->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    (void)poll(fds, 2, PATIENCE_S * 1000);
}

static void serve(const struct scripted_server *server, int fd, char *answer)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct scripted_request request = {0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL *ssl = SSL_new(server->tls);
    if (ssl == NULL) {
        return;
    }
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && read_request(ssl, &request)) {
        const size_t len = server->answer(server->ctx, &request, answer, ANSWER_BYTES_MAX);
        size_t written = 0;
        if (len == 0) {
            stay_silent(server, fd);
        } else if (SSL_write_ex(ssl, answer, len, &written) == 1) {
            (void)SSL_shutdown(ssl);
        }
    }
    SSL_free(ssl);
}

static void *run(void *ctx)
{
    const struct scripted_server *server = ctx;
    char *answer = malloc(ANSWER_BYTES_MAX);
    struct pollfd fds[] = {{.fd = server->stop_fd, .events = POLLIN},
                           {.fd = server->listener, .events = POLLIN}};
    while (answer != NULL && poll(fds, 2, -1) >= 0 && fds[0].revents == 0) {
        const int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(server, fd, answer);
            close(fd);
        }
    }
    free(answer);
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct scripted_server *scripted_server_start(const char *certificate_path,
                                              scripted_answer_fn *answer, void *ctx)
{
    struct scripted_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->answer = answer;
    server->ctx = ctx;
    server->tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(server->tls);
    use_new_certificate(server->tls, certificate_path);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 64), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

unsigned scripted_server_port(const struct scripted_server *server)
{
    return server->port;
}

void scripted_server_stop(struct scripted_server *server)
{
    assert_int_equal(eventfd_write(server->stop_fd, 1), 0);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_fd);
    SSL_CTX_free(server->tls);
    free(server);
}
