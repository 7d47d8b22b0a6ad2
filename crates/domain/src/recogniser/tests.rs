mod fuzz;

use super::*;

#[test]
fn posthogs_own_specification_is_recognised() {
    for (name, meaning) in [
        ("Products Searched", Meaning::ProductsSearched),
        ("Product List Viewed", Meaning::ProductListViewed),
        ("Product List Filtered", Meaning::ProductListFiltered),
        ("Product Clicked", Meaning::ProductClicked),
        ("Product Viewed", Meaning::ProductViewed),
        ("Product Added", Meaning::AddedToCart),
        ("Product Removed", Meaning::RemovedFromCart),
        ("Cart Viewed", Meaning::CartViewed),
        ("Checkout Started", Meaning::CheckoutStarted),
        ("Checkout Step Viewed", Meaning::CheckoutStep),
        ("Checkout Step Completed", Meaning::CheckoutStep),
        ("Payment Info Entered", Meaning::PaymentInfoEntered),
        ("Order Completed", Meaning::OrderCompleted),
        ("Order Updated", Meaning::OrderUpdated),
        ("Order Refunded", Meaning::OrderRefunded),
        ("Order Cancelled", Meaning::OrderCancelled),
    ] {
        assert_eq!(recognise(name), Some(meaning), "{name}");
    }
}

#[test]
fn every_shopify_pixel_name_of_pixiehog_is_recognised() {
    for (name, meaning) in [
        ("search_submitted", Meaning::ProductsSearched),
        ("collection_viewed", Meaning::ProductListViewed),
        ("product_viewed", Meaning::ProductViewed),
        ("product_added_to_cart", Meaning::AddedToCart),
        ("product_removed_from_cart", Meaning::RemovedFromCart),
        ("cart_viewed", Meaning::CartViewed),
        ("checkout_started", Meaning::CheckoutStarted),
        ("checkout_contact_info_submitted", Meaning::CheckoutStep),
        ("checkout_address_info_submitted", Meaning::CheckoutStep),
        ("checkout_shipping_info_submitted", Meaning::CheckoutStep),
        ("payment_info_submitted", Meaning::PaymentInfoEntered),
        ("checkout_completed", Meaning::OrderCompleted),
    ] {
        assert_eq!(recognise(name), Some(meaning), "{name}");
    }
}

#[test]
fn ga4_and_meta_names_are_recognised() {
    for (name, meaning) in [
        ("view_item", Meaning::ProductViewed),
        ("add_to_cart", Meaning::AddedToCart),
        ("AddToCart", Meaning::AddedToCart),
        ("remove_from_cart", Meaning::RemovedFromCart),
        ("view_cart", Meaning::CartViewed),
        ("begin_checkout", Meaning::CheckoutStarted),
        ("InitiateCheckout", Meaning::CheckoutStarted),
        ("add_payment_info", Meaning::PaymentInfoEntered),
        ("purchase", Meaning::OrderCompleted),
        ("refund", Meaning::OrderRefunded),
        ("search", Meaning::ProductsSearched),
    ] {
        assert_eq!(recognise(name), Some(meaning), "{name}");
    }
}

#[test]
fn spelling_does_not_matter() {
    for name in [
        "product added to cart",
        "Product Added To Cart",
        "PRODUCT_ADDED_TO_CART",
        "product-added-to-cart",
        "productAddedToCart",
        "  product:added.to/cart! ",
    ] {
        assert_eq!(recognise(name), Some(Meaning::AddedToCart), "{name}");
    }
}

#[test]
fn orders_are_found_in_any_wording() {
    for name in [
        "order completed",
        "Completed Order",
        "Placed Order",
        "order_placed",
        "orderPaid",
        "orders/create",
        "Shopify Order Completed",
        "checkout_completed_v2",
        "Checkout Completed",
        "Purchase",
        "Purchase Completed",
        "order canceled",
        "Refunded Order",
    ] {
        assert!(is_order_like(name), "{name}");
    }
}

#[test]
fn what_is_no_order_is_left_alone() {
    for name in [
        "",
        "$pageview",
        "$order_completed",
        "checkout started",
        "Checkout Step Completed",
        "checkout_contact_info_submitted",
        "Product Added",
        "order history viewed",
        "border updated",
        "purchase intent",
        "Newsletter Completed",
        "日本語",
    ] {
        assert!(!is_order_like(name), "{name}");
    }
}

#[test]
fn only_three_meanings_feed_a_stage_and_none_of_them_is_an_order() {
    assert_eq!(
        recognise("view_item").and_then(Meaning::stage),
        Some(PostHogStage::ProductViewed)
    );
    assert_eq!(
        recognise("add_to_cart").and_then(Meaning::stage),
        Some(PostHogStage::AddedToCart)
    );
    assert_eq!(
        recognise("begin_checkout").and_then(Meaning::stage),
        Some(PostHogStage::CheckoutStarted)
    );
    for name in [
        "purchase",
        "cart_viewed",
        "Wishlist Product Added to Cart",
        "Product Added to Wishlist",
    ] {
        assert_eq!(recognise(name).and_then(Meaning::stage), None, "{name}");
    }
}
