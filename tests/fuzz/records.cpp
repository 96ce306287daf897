// Texts that describe: recipes, manifests, locks, lists of chunks. What is printed of one must be read as the
// same.
#include <stdexcept>
#include <string>

#include "artifacts/check/signed_list.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "builder/fetch/download/chunk_list.hpp"
#include "builder/lock/lock.hpp"
#include "builder/policy/policy.hpp"
#include "builder/recipe/document/document.hpp"
#include "builder/recipe/resolve.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {
namespace {

void visit(const recipe::Node& node) {
  node.mark();
  for (const recipe::Node& item : node.items()) visit(item);
  for (const recipe::Entry& entry : node.entries()) {
    visit(entry.key);
    visit(entry.value);
  }
}

void expect_same(const std::string& first, const std::string& second) {
  if (first != second) throw std::logic_error("what was printed is read as something else:\n" + first);
}

}  // namespace

void recipe_document(std::string_view bytes) {
  visit(recipe::Document::parse(bytes, "input", recipe::Document::TopLevel::kAny).root());
}

/// Every profile, in a folder that does not exist.
void recipe_profiles(std::string_view bytes) {
  const recipe::Recipe whole = recipe::parse_recipe(bytes, "input", "/nonexistent");
  for (const std::string& profile : whole.profiles()) recipe::resolve(whole, profile, {});
}

void manifest(std::string_view bytes) {
  const std::string text = artifacts::print_manifest(artifacts::parse_manifest(bytes));
  expect_same(text, artifacts::print_manifest(artifacts::parse_manifest(text)));
  artifacts::parse_manifest_overview(bytes);
}

void lock_file(std::string_view bytes) {
  const std::string text = lock::print_lock(lock::parse_lock(bytes, "input"));
  expect_same(text, lock::print_lock(lock::parse_lock(text, "printed")));
}

void sums(std::string_view bytes) {
  artifacts::parse_sums(bytes);
}

void policy(std::string_view bytes) {
  policy::parse_policy(bytes, "input");
}

void chunk_list(std::string_view bytes) {
  const std::string text = fetch::print_chunks(fetch::parse_chunks(bytes, "input"));
  expect_same(text, fetch::print_chunks(fetch::parse_chunks(text, "printed")));
}

}  // namespace imgforge::fuzz
