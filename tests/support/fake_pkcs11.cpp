// A PKCS #11 module that lies: FAKE_PKCS11 says how. It shows one token without PIN that holds every key.
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr CK_ULONG kHuge = 1UL << 40;

bool is(std::string_view way) {
  const char* chosen = std::getenv("FAKE_PKCS11");
  return chosen != nullptr && chosen == way;
}

void hang() {
  if (const char* file = std::getenv("FAKE_PKCS11_RUNS")) std::fclose(std::fopen(file, "w"));
  while (true) ::pause();
}

void fill(unsigned char* field, std::size_t size, const char* text) {
  std::memset(field, ' ', size);
  std::memcpy(field, text, std::strlen(text));
}

CK_RV initialize(void*) {
  if (is("hang at start")) hang();
  if (is("crash at start")) std::abort();
  return is("refuse to start") ? CKR_GENERAL_ERROR : CKR_OK;
}
CK_RV finalize(void*) {
  return CKR_OK;
}
CK_RV get_info(CK_INFO* info) {
  *info = {};
  info->cryptokiVersion = {2, 40};
  return CKR_OK;
}
CK_RV get_slot_list(CK_BBOOL, CK_SLOT_ID* slots, CK_ULONG* count) {
  if (is("many slots")) {
    *count = kHuge;
    return CKR_OK;
  }
  if (slots != nullptr) *slots = 0;
  *count = is("more slots later") && slots != nullptr ? kHuge : 1;
  return CKR_OK;
}
CK_RV get_slot_info(CK_SLOT_ID, CK_SLOT_INFO* slot) {
  *slot = {};
  slot->flags = CKF_TOKEN_PRESENT;
  return CKR_OK;
}
CK_RV get_token_info(CK_SLOT_ID, CK_TOKEN_INFO* token) {
  *token = {};
  fill(token->label, sizeof token->label, is("escapes") ? "\033[31mfake" : "fake");
  fill(token->manufacturerID, sizeof token->manufacturerID, "");
  fill(token->model, sizeof token->model, "");
  fill(token->serialNumber, sizeof token->serialNumber, "");
  token->flags = CKF_TOKEN_INITIALIZED;
  return CKR_OK;
}
CK_RV open_session(CK_SLOT_ID, CK_FLAGS, void*, CK_NOTIFY, CK_SESSION_HANDLE* session) {
  *session = 1;
  return CKR_OK;
}
CK_RV find_objects_init(CK_SESSION_HANDLE, CK_ATTRIBUTE*, CK_ULONG) {
  return CKR_OK;
}
CK_RV find_objects(CK_SESSION_HANDLE, CK_OBJECT_HANDLE* objects, CK_ULONG, CK_ULONG* count) {
  *objects = 1;
  *count = is("many keys") ? kHuge : is("no key") ? 0 : 1;
  return CKR_OK;
}
CK_RV find_objects_final(CK_SESSION_HANDLE) {
  return CKR_OK;
}
CK_RV get_attribute_value(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_ATTRIBUTE* wanted, CK_ULONG) {
  if (wanted->type != CKA_EC_POINT) return CKR_ATTRIBUTE_TYPE_INVALID;
  std::memset(wanted->pValue, 0, wanted->ulValueLen);
  wanted->ulValueLen = is("huge point") ? kHuge : is("short point") ? 5 : 32;  // zeros: of small order
  return CKR_OK;
}
CK_RV sign_init(CK_SESSION_HANDLE, CK_MECHANISM*, CK_OBJECT_HANDLE) {
  return is("cannot sign") ? CKR_MECHANISM_INVALID : CKR_OK;
}
CK_RV sign(CK_SESSION_HANDLE, unsigned char*, CK_ULONG, unsigned char* signature, CK_ULONG* size) {
  if (is("hang")) hang();
  if (is("crash")) std::abort();
  if (is("noise")) {
    for (int line = 0; line < 2000; ++line) std::puts("this is what the module has to say about it");
    std::fflush(stdout);
  }
  std::memset(signature, 0x2a, std::min<CK_ULONG>(*size, 64));
  *size = is("huge signature") ? kHuge : is("short signature") ? 10 : 64;
  return CKR_OK;
}

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  static CK_FUNCTION_LIST functions = [] {
    CK_FUNCTION_LIST made{};
    made.version = {2, 40};
    made.C_Initialize = &initialize;
    made.C_Finalize = &finalize;
    made.C_GetInfo = &get_info;
    made.C_GetFunctionList = &C_GetFunctionList;
    made.C_GetSlotList = &get_slot_list;
    made.C_GetSlotInfo = &get_slot_info;
    made.C_GetTokenInfo = &get_token_info;
    made.C_OpenSession = &open_session;
    made.C_FindObjectsInit = &find_objects_init;
    made.C_FindObjects = &find_objects;
    made.C_FindObjectsFinal = &find_objects_final;
    made.C_GetAttributeValue = &get_attribute_value;
    made.C_SignInit = &sign_init;
    made.C_Sign = &sign;
    return made;
  }();
  *list = &functions;
  return CKR_OK;
}
