//! The names themselves: words joined by `_`.

use super::Meaning;

/// The meaning of a whole name. Sources: PostHog's e-commerce specification and PixieHog's map
/// (POSTHOG.md 8.1, 8.3); `view_item`, `begin_checkout` and the like are GA4's, `initiate_checkout`
/// is Meta's (8.4).
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    Some(match name {
        "products_searched"
        | "product_searched"
        | "search_submitted"
        | "search"
        | "view_search_results" => Meaning::ProductsSearched,
        "product_list_viewed" | "collection_viewed" | "viewed_collection" | "view_item_list" => {
            Meaning::ProductListViewed
        }
        "product_list_filtered" => Meaning::ProductListFiltered,
        "product_clicked" | "select_item" => Meaning::ProductClicked,
        "product_viewed"
        | "viewed_product"
        | "product_view"
        | "view_product"
        | "view_item"
        | "item_viewed"
        | "product_page_viewed"
        | "viewed_product_page" => Meaning::ProductViewed,
        "product_added"
        | "product_added_to_cart"
        | "added_product_to_cart"
        | "added_to_cart"
        | "add_to_cart"
        | "add_product_to_cart"
        | "item_added_to_cart"
        | "added_item_to_cart"
        | "product_add_to_cart" => Meaning::AddedToCart,
        "product_removed"
        | "product_removed_from_cart"
        | "removed_product_from_cart"
        | "removed_from_cart"
        | "remove_from_cart"
        | "item_removed_from_cart" => Meaning::RemovedFromCart,
        "cart_viewed" | "viewed_cart" | "view_cart" => Meaning::CartViewed,
        "checkout_started" | "started_checkout" | "begin_checkout" | "checkout_begun"
        | "checkout_initiated" | "initiated_checkout" | "initiate_checkout" | "start_checkout" => {
            Meaning::CheckoutStarted
        }
        "checkout_step_viewed"
        | "checkout_step_completed"
        | "add_shipping_info"
        | "checkout_contact_info_submitted"
        | "checkout_address_info_submitted"
        | "checkout_shipping_info_submitted" => Meaning::CheckoutStep,
        "payment_info_entered" | "payment_info_submitted" | "add_payment_info" => {
            Meaning::PaymentInfoEntered
        }
        "purchase" | "purchased" | "purchases" | "orders_create" | "order_create"
        | "create_order" | "place_order" | "complete_order" | "order_complete"
        | "complete_checkout" | "checkout_complete" | "checkout_success" | "complete_purchase"
        | "purchase_complete" | "orders_paid" | "order_success" | "purchase_success"
        | "product_purchased" | "purchased_product" | "ordered_product" => Meaning::OrderCompleted,
        "refund" | "refunded" => Meaning::OrderRefunded,
        _ => return None,
    })
}

/// An order spoken of anywhere in a name: `Shopify Order Completed`, `checkout_completed_v2`,
/// `Placed Order`. Two neighbouring words must say it, so that `Checkout Step Completed` does not.
pub(super) fn order_within(words: &[String]) -> Option<Meaning> {
    words.windows(2).find_map(|pair| {
        let [a, b] = pair else { return None };
        order_event(a, b).or_else(|| order_event(b, a))
    })
}

fn order_event(subject: &str, happened: &str) -> Option<Meaning> {
    let finished = matches!(
        happened,
        "completed" | "finished" | "succeeded" | "submitted" | "processed"
    );
    match subject {
        "order" | "orders" | "purchase" => match happened {
            "placed" | "created" | "paid" | "confirmed" | "made" | "received" => {
                Some(Meaning::OrderCompleted)
            }
            "updated" | "edited" | "fulfilled" | "shipped" | "delivered" | "returned" => {
                Some(Meaning::OrderUpdated)
            }
            "refunded" => Some(Meaning::OrderRefunded),
            "cancelled" | "canceled" => Some(Meaning::OrderCancelled),
            _ => finished.then_some(Meaning::OrderCompleted),
        },
        "checkout" => (finished && happened != "submitted").then_some(Meaning::OrderCompleted),
        _ => None,
    }
}
